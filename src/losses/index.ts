export * from './crossEntropy.js';
export * from './patchReconstruction.js';
