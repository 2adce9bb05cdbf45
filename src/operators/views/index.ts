export { type ColorJitterOptions, type Jitter, type Strength, applyJitter, checkColorJitter, jitterOf } from './colorJitter.js';
export { type Box, type CropOptions, checkCrop, cropBox } from './cropBox.js';
export { flips } from './flips.js';
export { type Normalization, type Normalize, imagenet, normalization } from './normalization.js';
export { type PatchSize, type PatchifyOptions, patchGrid, patchSides, patches, patchify, unpatches } from './patchify.js';
export { type Interpolation, type Pixels, coverage, resample } from './resample.js';
export { type UnpatchifyOptions, imageShape, unpatchify } from './unpatchify.js';
