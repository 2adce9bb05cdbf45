export { ambient, enterRun, within, type Ambient } from './ambient.js';
export { bounded, nothing, type BoundedOptions, type Worker } from './bounded.js';
export { runOf, whereabouts, type StageContext } from './context.js';
export { drain } from './drain.js';
export { Gate, type GateOptions } from './gate.js';
export { Place, type Unit } from './place.js';
export { epochOrder, served, type OrderRequest, type OrderScope, type Share } from './order.js';
export { source, type Indexed, type Streamed } from './source.js';
export { collecting, enterStage, stage, type Collector, type StageOptions } from './stage.js';
