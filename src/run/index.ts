export { type RunRecord, type RunStatus, type StageRecord, chooseFolder, readRecord } from './folder.js';
export { type RunOptions, type RunResult, run } from './run.js';
export { type PipelineDescription, type StageDescription, describePipeline } from './describe.js';
export { type MaskedModel, type MaskedModelOptions, openMaskedModel } from './maskedModel.js';
export { type UnmaskRunOptions, unmaskRun } from './unmaskRun.js';
