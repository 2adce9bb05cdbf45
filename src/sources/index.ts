export { arrow, arrowBatches, type ArrowOptions } from './arrow.js';
export type { BadSampleOptions } from './arrow/badSamples.js';
export { memory, type MemoryColumns, type Rows } from './memory.js';
export { type ImageOptions, image } from './image.js';
