// Everything that a pipeline needs.
export * from './core/index.js';
export * from './losses/index.js';
export * from './models/index.js';
export * from './operators/index.js';
export * from './optimizers/index.js';
export * from './run/index.js';
export * from './sinks/index.js';
export * from './sources/index.js';
