export { type BufferBoundedOptions, bufferBounded } from './bufferBounded.js';
export { type MapBoundedOptions, mapBounded } from './mapBounded.js';
export { type MergeMapBoundedOptions, mergeMapBounded } from './mergeMapBounded.js';
export { type ZipBoundedOptions, zipBounded } from './zipBounded.js';
