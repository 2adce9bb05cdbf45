// Layers and first values have short names (`linear`, `normal`) that mean other things elsewhere: they come as namespaces.
export * from './askedPlan.js';
export * as initializers from './initializers/index.js';
export * as layers from './layers/index.js';
export * from './linearClassifier.js';
export * from './placesWithin.js';
export * from './spanBoundaryPlan.js';
export * from './sumPlan.js';
export * from './textEncoder.js';
export { type StoredModel, type TextEncoderOptions, optionsOfConfig } from './textEncoderSizes.js';
export * from './visiblePlan.js';
export * from './vitMae.js';
export * from './withSpanBoundary.js';
