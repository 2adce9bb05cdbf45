export { block, blockScore, boxSides, coverByBoxes, leastCells, type BlockOptions } from './block.js';
export { bankShape, colorBank, windowScore, type ColorBank, type ColorBankOptions, type Crop } from './colorBank.js';
export { colorCrop, colorNoise, colorScore, type ColorNoiseOptions, type ColorScoreOptions } from './colorNoise.js';
export { blurTorus, colorPattern, colors, gaussianKernel, normalizePattern, type Color, type Sigmas } from './colorPattern.js';
export { extent } from './extent.js';
export { keepCount } from './keepCount.js';
export { random, uniformScore, type RandomOptions } from './random.js';
export { select, type Mask, type Score, type SelectOptions, type Tokens } from './select.js';
export { shuffleIds, type ShuffleIds } from './shuffleIds.js';
