export * from './adamw.js';
export * from './constant.js';
export * from './cosine.js';
export * from './linear.js';
export * from './schedule.js';
export * from './sgd.js';
