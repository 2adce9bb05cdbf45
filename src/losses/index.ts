export * from './askedLabels.js';
export * from './askedScores.js';
export * from './crossEntropy.js';
export * from './maskedLanguage.js';
export * from './patchReconstruction.js';
export * from './spanBoundary.js';
export * from './surprisals.js';
