export * from './normal.js';
export * from './ones.js';
export * from './sinCosTable.js';
export * from './xavierUniform.js';
export * from './zeros.js';
