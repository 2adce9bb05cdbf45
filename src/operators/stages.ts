// The types of stages: what a stage needs of a batch and what it adds. Columns that it does not name pass through.
import type { Observable } from 'rxjs';
import type { Batch, Column } from '../core/batch.js';
import type { Program } from '../core/program.js';
import type { Stepped } from '../core/run.js';

export type Floats = Column<Float32Array>;
export type Integers = Column<Int32Array>;
export type Bytes = Column<Uint8Array>;

/** Needs the columns `In`, adds the columns `Add`. */
export type Stage<In, Add> = <C extends In, P extends Program | undefined>(source: Observable<Batch<C, P>>) => Observable<Batch<C & Add, P>>;
/** Describes a model: only behind it can a loss stand, and nothing behind it goes into Arrow. */
export type ModelStage<In, Out extends string> = <C extends In>(source: Observable<Batch<C>>) => Observable<Batch<C, Program<Out>>>;
/** Adds a term to the loss, from the model's outputs `Needs`. */
export type LossStage<Needs extends string> = <C, P extends Program<Needs>>(source: Observable<Batch<C, P>>) => Observable<Batch<C, P & Program<'loss'>>>;
/** Performs steps. */
export type TrainStage = <C, P extends Program<'loss'>>(source: Observable<Batch<C, P>>) => Observable<Stepped<Batch<C, P>>>;
/** Looks at finished steps and passes them on. */
export type StepSink = <B extends Batch<unknown, Program>>(source: Observable<Stepped<B>>) => Observable<Stepped<B>>;
