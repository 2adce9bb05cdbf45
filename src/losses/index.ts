export * from './patchReconstruction.js';
