export { type PackOptions, type Packed, pack } from './pack.js';
export type { TokenColumns } from './tokenRows.js';
export { type TokenizeOptions, tokenize } from './tokenize.js';
export type { Truncate } from './truncation.js';
export { type GoldTagsOptions, goldTags } from './goldTags.js';
export { type TagOptions, tag } from './tag.js';
export { type TaggersOptions, taggers } from './taggers.js';
export { type SchemeName, type TagScheme, tagSchemes } from '../views/tagScheme.js';
