// The only room that creates a backend. A run asks `createExecutor`; everything else sees core's `Executor`.
export { type BackendEntry, type BackendName, type Engine, type LoadOptions, backends } from './backends.js';
export { type ChooseBackendOptions, type ChosenBackend, chooseBackend } from './chooseBackend.js';
export { type CreateExecutorOptions, createExecutor } from './createExecutor.js';
export { drawColumns } from './drawColumns.js';
export { type EagerExecutorOptions, eagerExecutor } from './eagerExecutor.js';
export { type OnnxExecutorOptions, onnxExecutor } from './onnx/onnxExecutor.js';
export type { Provider } from './onnx/providers.js';
