// Model and loss stages describe work; an executor runs the description. This file is the whole agreement
// between the two sides: what a program is, what an optimiser is, and what an executor can be asked to do.
import type { Tensor as TfTensor } from '@tensorflow/tfjs';
import { type AnyBatch, type Column, type DType, dtypeOf } from './batch.js';
import type { Key } from './key.js';
import type { Recipe } from './recipe.js';

/** A tensor of tfjs; core sees only its type. */
export type Tensor = TfTensor;
export type Tensors = Readonly<Record<string, Tensor>>;

export interface Spec {
  readonly shape: readonly number[];
  readonly dtype: DType;
}
export type Specs = Readonly<Record<string, Spec>>;

/** All that a program may know of a batch before it sees values: the key under which a step is compiled. */
export interface Signature {
  readonly rows: number;
  readonly columns: Specs;
  readonly grid?: readonly number[];
}

/** A first value as a pure function of a key: data (`recipe`) and its meaning (`values`). */
export interface Initializer {
  readonly recipe: Recipe;
  values(key: Key, shape: readonly number[]): Float32Array;
}

/** A named weight: its shape and its first value. Not trainable = kept and saved, never updated (position tables). */
export interface Parameter {
  readonly shape: readonly number[];
  readonly init: Initializer;
  readonly trainable?: boolean;
}
export type Parameters = Readonly<Record<string, Parameter>>;

/** A declared random input (dropout, Gumbel, attack starts). `shape` is that of one row; drawn per sample, keyed by its origin. */
export interface Draw {
  readonly shape: readonly number[];
  readonly law: 'uniform' | 'normal' | 'gumbel';
}

/** A loss is a sum and a count (both scalars), so that parts add up exactly: value = Σ sum / Σ count. */
export interface Loss {
  readonly sum: Tensor;
  readonly count: Tensor;
}

/**
 * Work described: parameters, named columns and declared draws to named outputs. Immutable, made once by its
 * operator and shared by all batches, so that it can be the key of a cache.
 */
export interface Program<O extends string = string> {
  readonly recipe: Recipe;
  /** Name of the weight set that it reads: `student`. */
  readonly weights: string;
  /** Names of the columns that it reads, given those that there are; a missing one is an error thrown here. */
  inputs(signature: Signature): readonly string[];
  /** Columns that the model derives from the batch on the host (index plans); the `model` stage adds them. */
  prepare?(batch: AnyBatch): Readonly<Record<string, Column>>;
  parameters(signature: Signature): Parameters;
  draws(signature: Signature): Readonly<Record<string, Draw>>;
  /** What a checkpoint's config.json says of the model, with the names that Hugging Face uses. */
  config?(signature: Signature): Readonly<Record<string, unknown>>;
  /**
   * The outputs. Columns arrive with their dtype (uint8 as int32), draws as float32 [rows, …shape]; an output that is
   * costly and not always wanted is a lazy property (`lazy`). Runs inside a tidy scope of the executor.
   */
  build(parameters: Tensors, columns: Tensors, draws: Tensors, signature: Signature): Readonly<Record<O, Tensor | Loss>>;
}

/** Properties computed on first access and remembered: outputs that cost nothing until somebody wants them. */
export function lazy<O extends string, V>(outputs: Readonly<Record<O, () => V>>): Readonly<Record<O, V>> {
  const result = {} as Record<O, V>;
  for (const name of Object.keys(outputs) as O[]) {
    let value: V | undefined;
    Object.defineProperty(result, name, {
      enumerable: true,
      get: () => {
        value ??= outputs[name]();
        return value;
      },
    });
  }
  return result;
}

/** An optimiser: slots beside the weights, and one pure update. Learning rate and step are scalar inputs, never constants. */
export interface Optimizer {
  readonly recipe: Recipe;
  /** Slots for these trainable parameters, named `<parameter>.<slot>`; zeros at first. */
  slots(parameters: Specs): Specs;
  update(input: {
    readonly weights: Tensors;
    readonly gradients: Tensors;
    readonly slots: Tensors;
    /** `learningRate` and `step` (the number of this step, from 1), float32 scalars. */
    readonly scalars: Tensors;
  }): { readonly weights: Tensors; readonly slots: Tensors };
}

/** Gradients of Σ sum over one or more batches; they live where the executor lives until `dispose`. */
export interface Gradients {
  /** Σ of the loss's sums and counts. */
  readonly sum: number;
  readonly count: number;
  /** Adds `other` into a new handle and frees both. */
  add(other: Gradients): Gradients;
  /** Multiplies by a number; frees this one. */
  scale(by: number): Gradients;
  /** Global L2 norm over all parameters. */
  norm(): Promise<number>;
  /** Changes gradients by name (a mask, a projection); frees this one. */
  map(change: (name: string, gradient: Tensor) => Tensor): Gradients;
  dispose(): void;
}

/** What a fused step answers. Where the loss or the norm is not finite, or the count is 0, nothing was written. */
export interface StepOutcome {
  readonly sum: number;
  readonly count: number;
  readonly gradientNorm: number;
  readonly finite: boolean;
}

export interface UpdateScalars {
  readonly learningRate: number;
  /** Number of this step, from 1. */
  readonly step: number;
}

/** Named weight sets. Values are made by whoever needs a set first: f(seed, set, parameter). */
export interface Weights {
  /** Finished optimiser steps; written by `train` alone. */
  step: number;
  sets(): readonly string[];
  /** to = mix · to + (1 − mix) · from; mix = 0 copies (and makes `to` where it is missing). */
  copy(from: string, to: string, mix?: number): Promise<void>;
  snapshot(set: string): Promise<ReadonlyMap<string, Column>>;
  restore(set: string, values: ReadonlyMap<string, Column>): Promise<void>;
  forget(set: string): void;
}

/** Evaluates programs. Declared here, implemented in backends, injected by the run. */
export interface Executor {
  /** What runs underneath, verified: `wasm`, `cpu`, … */
  readonly backend: string;
  readonly weights: Weights;
  /** Outputs as host columns; of a Loss output the quotient sum / count (NaN where the count is 0). `weights` reads another set than the program's. */
  evaluate<O extends string>(program: Program<O>, batch: AnyBatch, outputs: readonly O[], weights?: string): Promise<Readonly<Record<O, Column<Float32Array>>>>;
  /** Gradients of the sum of the program's `loss` with respect to its trainable parameters; zeros for those that it does not reach. */
  gradients(program: Program<'loss'>, batch: AnyBatch): Promise<Gradients>;
  /** One optimiser update of `set` from gradients of the mean loss; frees the handle. */
  update(optimizer: Optimizer, set: string, gradients: Gradients, scalars: UpdateScalars): Promise<void>;
  /** Gradients, division by the count, clipping to `clip` and update in one go; what an engine may fuse. */
  step(program: Program<'loss'>, batch: AnyBatch, optimizer: Optimizer, scalars: UpdateScalars, options: { readonly clip?: number }): Promise<StepOutcome>;
  /** Tensors alive now; for tests and leak reports. */
  tensors(): number;
  dispose(): void;
}

/** The signature of a batch: rows, grid and the spec of every tensor column. */
export function signatureOf(batch: AnyBatch): Signature {
  const columns: Record<string, Spec> = {};
  for (const [name, column] of Object.entries(batch.columns)) {
    if ('data' in column) columns[name] = { shape: column.shape, dtype: dtypeOf(column.data) };
  }
  return { rows: batch.rows, columns, ...(batch.grid === undefined ? {} : { grid: batch.grid }) };
}

/** A loss term: reads outputs of a model and columns, answers a sum and a count. */
export interface LossTerm<Needs extends string> {
  readonly recipe: Recipe;
  /** Names of the columns that it reads, given those that there are; a missing one is an error thrown here. */
  inputs(signature: Signature): readonly string[];
  build(outputs: Readonly<Record<Needs, Tensor>>, columns: Tensors, signature: Signature): Loss;
}
