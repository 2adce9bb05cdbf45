// One training step as a value: what every contender of bench/step.ts runs, ours and those in Python, from the same first
// weights on the same batch.
import { type AnyBatch, type Column, type Key, type Optimizer, type Program, type UpdateScalars, fold, initializers, rootKey, signatureOf } from 'maskflow';

/** Settings of Adam, as numbers: ours is made of them, and so are those of the peers. */
export interface AdamSettings {
  readonly learningRate: number;
  readonly beta1: number;
  readonly beta2: number;
  readonly eps: number;
  readonly weightDecay: number;
}

export interface Workload {
  readonly name: string;
  readonly program: Program<'loss'>;
  readonly batch: AnyBatch;
  readonly optimizer: Optimizer;
  /** Largest global norm of the gradient; absent = no clipping. */
  readonly clip?: number;
  /** Learning rate and number of a step, from 1. */
  scalars(step: number): UpdateScalars;
  /** First values of all parameters, tables that are never trained included; `executor.weights.restore` takes them. */
  readonly weights: ReadonlyMap<string, Column<Float32Array>>;
  /** Names of the parameters that decay. */
  readonly decays: readonly string[];
  /** What the peers must know beside weights and batch to build the same model. */
  readonly model: Readonly<Record<string, unknown>>;
  readonly adam: AdamSettings;
}

/** Keys of a workload's numbers: `fold` it by the name of what is drawn. */
export const workloadKey = (name: string): Key => fold(rootKey(0), name);

/** Independent normals as a float32 column. */
export function normalColumn(key: Key, shape: readonly number[]): Column<Float32Array> {
  return { data: initializers.normal({ std: 1 }).values(key, shape), shape };
}

/** A batch of these columns, as a source would have made it. */
export function batchOf(rows: number, columns: Readonly<Record<string, Column>>, grid?: readonly number[]): AnyBatch {
  const origins = Array.from({ length: rows }, (_, id) => ({ source: 0, id, epoch: 0, position: id }));
  return { rows, columns, origins, program: undefined, ...(grid === undefined ? {} : { grid }) };
}

/** First values of the program's parameters, a function of the workload's name. */
export function firstWeights(name: string, program: Program, batch: AnyBatch): Map<string, Column<Float32Array>> {
  const key = fold(workloadKey(name), 'weights');
  const parameters = Object.entries(program.parameters(signatureOf(batch)));
  return new Map(parameters.map(([parameter, { shape, init }]) => [parameter, { data: init.values(fold(key, parameter), shape), shape }]));
}
