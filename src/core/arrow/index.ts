export { fromRecordBatch, type FromRecordBatchOptions } from './fromRecordBatch.js';
export { originColumn } from './origins.js';
export { gridKey, toRecordBatch, type ToRecordBatchOptions } from './toRecordBatch.js';
