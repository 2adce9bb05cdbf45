export { type PackOptions, type Packed, pack } from './pack.js';
export type { TokenColumns } from './tokenRows.js';
export { type TokenizeOptions, tokenize } from './tokenize.js';
export type { Truncate } from './truncation.js';
