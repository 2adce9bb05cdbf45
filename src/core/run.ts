// What a run lends to its stages. Declared here, made by `run()`, found through the gate.
import type { CursorState } from './cursor.js';
import type { Files } from './files.js';
import type { Executor } from './program.js';

/** What a stage that must survive a kill keeps in a checkpoint: plain JSON values, a few readable numbers. */
export type StageState = Readonly<Record<string, unknown>>;

/** The readable part of a checkpoint. No clock and no path in it: equal runs leave equal bytes. */
export interface RunState {
  readonly step: number;
  readonly seed: number;
  readonly cursor: CursorState;
  readonly stages: Readonly<Record<string, StageState>>;
}

export interface Run {
  readonly seed: number;
  readonly executor: Executor;
  /** Absolute path of the run folder. */
  readonly folder: string;
  readonly files: Files;
  /** What was restored from a checkpoint, or undefined at a fresh start. */
  readonly resumed: RunState | undefined;
  /** Where the run has been asked to stop: stages that wait for something outside should give up waiting. */
  readonly stopping: AbortSignal;
  /** A stage of this name has state; `save` is called when a checkpoint is made. */
  keep(stage: string, save: () => StageState): void;
  /** The state to write now, with the cursor as it stands. */
  state(): RunState;
  /** Called once nothing is in flight, when the run was asked to stop before its end. */
  atStop(save: () => Promise<void>): void;
  /** Figures for result.json; later ones of a name replace earlier ones, nested objects are merged. */
  report(figures: Readonly<Record<string, unknown>>): void;
  /** A source says what data it reads; at a resume another fingerprint is an error. */
  data(source: string, fingerprint: string): void;
  /** A line for whoever watches: on a terminal above the progress line, elsewhere plain. */
  say(line: string): void;
}

/** What `train` adds to the batch that completes a step. */
export interface StepReport {
  /** Number of the finished step, from 1. */
  readonly step: number;
  /** Loss of this step, Σ sum / Σ count over its batches; not averaged over steps. */
  readonly loss: number;
  readonly learningRate: number;
  /** Global L2 norm before clipping. */
  readonly gradientNorm: number;
  /** Epoch as a fraction: samples seen / samples an epoch. */
  readonly epoch: number;
  /** Samples used so far. */
  readonly samples: number;
  /** Share of the whole run that is done, in [0, 1]; undefined where the length is unknown. */
  readonly progress: number | undefined;
  readonly samplesPerSecond: number;
  /** Share of the time since the last step that was spent waiting for data. */
  readonly dataWait: number;
}

/** A finished step: the batch that completed it and its report. Everything behind `train` receives these. */
export type Stepped<B> = B & { readonly report: StepReport };
