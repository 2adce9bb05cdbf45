// Evaluates programs as compiled graphs on ONNX Runtime: one graph for an evaluation, for gradients, for an update, and for
// a whole step. Weights, slots, columns, draws and scalars go into a graph at every run; none is a part of it.
import { availableParallelism } from 'node:os';
import * as tf from '@tensorflow/tfjs';
import type { AnyBatch, Column } from '../../core/batch.js';
import { MaskflowError } from '../../core/errors.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import type { Executor, Gradients, Optimizer, Program, StepOutcome, UpdateScalars } from '../../core/program.js';
import { checkClip } from '../checkClip.js';
import { foreign } from '../gradientHandle.js';
import { trainedBy } from '../inputsOf.js';
import { located } from '../located.js';
import { useBackend } from '../useBackend.js';
import type { Values } from '../weightSets.js';
import { Declarations } from './declarations.js';
import { deviceMemory } from './deviceMemory.js';
import type { Fallback } from './eagerRunner.js';
import { evaluateWork } from './evaluateWork.js';
import { gradientsWork } from './gradientsWork.js';
import { hostMemory } from './hostMemory.js';
import { type HostGradient, OnnxGradients, type OnnxGradientsOwner } from './onnxGradients.js';
import { OnnxWeights } from './onnxWeights.js';
import { type Provider, providerNames, providers } from './providers.js';
import { type Runtime, type RuntimeTensor, type RuntimeTensors, tensorOf } from './runtime.js';
import type { Runner } from './runner.js';
import { Sessions } from './sessions.js';
import { squaresWork } from './squaresWork.js';
import type { StateValue } from './stateMemory.js';
import { stepWork } from './stepWork.js';
import { Transfers } from './transfers.js';
import { Turns } from './turns.js';
import { updateWork } from './updateWork.js';
import { eachUnder, putAll } from './work.js';

export interface OnnxExecutorOptions {
  /** The run's seed. */
  readonly seed: number;
  /** The module onnxruntime-node. */
  readonly runtime: Runtime;
  /** Where ONNX Runtime computes; default `cpu`. `createExecutor` proves that it is there and what it computes on. */
  readonly provider?: Provider;
  /** Threads of one session; default: as many as the process may use. The bits of a sum depend on it. */
  readonly threads?: number;
  /** Sessions that are kept, one for each program, signature and kind of work; default 16. */
  readonly sessions?: number;
  /** Threads wait for work by spinning; default true. */
  readonly spinning?: boolean;
  /** Folder in which every graph is saved as .onnx; default: none is. */
  readonly graphs?: string;
  /** Folder for ONNX Runtime's profiles, one a session; default: none. */
  readonly profile?: string;
  /** A loaded tfjs backend for work that cannot be traced; default: such work is an error. */
  readonly fallback?: Fallback;
  /** Told once of each piece of work that runs on the fallback; default: a warning of the process. */
  readonly warn?: (line: string) => void;
}

/**
 * An executor of compiled graphs. Calls take turns, in their order.
 *
 * A program is traced and compiled when it is first used, and again for each new signature; what it does then depends on
 * its inputs alone. Errors name the program, and the operation that cannot be traced.
 *
 * @example
 * const executor = onnxExecutor({ seed: 0, runtime: await import('onnxruntime-node'), threads: 4 });
 */
export function onnxExecutor(options: OnnxExecutorOptions): Executor {
  checkOptions('onnxExecutor', options, ['seed', 'runtime', 'provider', 'threads', 'sessions', 'spinning', 'graphs', 'profile', 'fallback', 'warn']);
  const { seed, runtime, provider = 'cpu', threads = availableParallelism(), sessions: limit = 16, spinning = true, graphs, profile, fallback } = options;
  check(providerNames.includes(provider), 'onnxExecutor', 'provider', `must be one of ${providerNames.join(', ')}`, provider);
  checkInteger('onnxExecutor', 'threads', threads);
  checkInteger('onnxExecutor', 'sessions', limit);
  const warn = options.warn ?? ((line) => process.emitWarning(line, 'MaskflowWarning'));
  let disposed = false;
  // What callers do with tfjs (tests, changes of gradients) runs on a backend that computes, never on the tracer's.
  const enter = (): void => {
    if (disposed) throw new MaskflowError({ stage: 'executor', rule: 'the executor has been disposed' });
    useBackend('cpu');
  };
  enter();
  const turns = new Turns();
  const { resident, executionProviders } = providers[provider];
  const memory = resident ? deviceMemory(runtime, new Transfers(runtime, executionProviders), turns) : hostMemory(runtime);
  const sessions = new Sessions({ runtime, provider, threads, spinning, graphs, profile, limit, fallback, onHost: memory.onHost, warn });
  const weights = new OnnxWeights(seed, enter, memory, turns);
  const declarations = new Declarations(seed, 4 * limit);
  const tensor = (column: Column): RuntimeTensor => tensorOf(runtime, column);
  const float = (value: number): RuntimeTensor => new runtime.Tensor('float32', Float32Array.of(value), []);

  const owner: OnnxGradientsOwner = {
    enter,
    alive: new Set(),
    squares: (read) =>
      turns.take(async () => {
        const gradients = read();
        const runner = await sessions.get(`norm ${shapes(gradients)}`, () => squaresWork(gradients));
        const feeds: Feeds = {};
        putAll(feeds, 'gradients', gradients, tensor);
        const { squares } = await runner.run(feeds);
        return floats(squares)[0] as number;
      }),
  };

  /** What a program reads, and the key of its signature. */
  const given = async (program: Program, batch: AnyBatch, set: string) => {
    enter();
    const { key, inputs, values } = located(program.recipe, () => {
      const { key, inputs } = declarations.inputs(program, batch);
      return { key, inputs, values: weights.ensure(set, inputs.parameters) };
    });
    await memory.settle(values);
    const feeds: Feeds = {};
    putAll(feeds, 'columns', inputs.columns, tensor);
    putAll(feeds, 'draws', inputs.draws, tensor);
    return { inputs, values, feeds, key };
  };

  /** The slots that an optimiser keeps for these weights; those that are `made` here count once an update has been written. */
  const slotsFor = (optimizer: Optimizer, set: string, key: string, before: Values<StateValue>) =>
    located(optimizer.recipe, () => {
      const wanted = declarations.slots(optimizer, key, before);
      return { wanted, ...weights.prepare(`${set}.optimizer`, wanted) };
    });

  /** Runs an update of weights, which may read others too: answers what came out, and what makes it the state. */
  const exchange = async (
    runner: Runner,
    feeds: Feeds,
    of: { readonly read: Values<StateValue>; readonly written: Values<StateValue>; readonly slots: Values<StateValue> },
    scalars: Readonly<Record<string, number>>,
  ): Promise<{ readonly answers: RuntimeTensors; readonly accept: () => void }> => {
    const { read, written, slots } = of;
    const { vectors, single } = runner;
    const into: Feeds = {};
    // First: a value that is laid elsewhere gets other tensors.
    const arrays = vectors.map(({ name, members }) => {
      const array = memory.endToEnd(members.map(([kind, member]) => (kind === 'weights' ? written : slots)[member] as StateValue));
      feeds[name] = array.now;
      into[`next/${name}`] = array.next;
      return array;
    });
    putAll(feeds, 'weights', read, now);
    // A slot is read where it is written.
    putAll(feeds, 'slots', slots, now, single?.slots);
    putAll(feeds, 'scalars', scalars, float);
    if (!resident) {
      putAll(into, 'next/weights', written, next, single?.weights);
      putAll(into, 'next/slots', slots, next, single?.slots);
    }
    const answers = await runner.run(feeds, into);
    return {
      answers,
      accept() {
        for (const array of arrays) array.accept();
        const accept = (value: StateValue, name: string): void => value.accept(answers[name] as RuntimeTensor);
        eachUnder('next/weights', written, accept, single?.weights);
        eachUnder('next/slots', slots, accept, single?.slots);
      },
    };
  };

  const evaluate = <O extends string>(
    program: Program<O>,
    batch: AnyBatch,
    outputs: readonly O[],
    set: string = program.weights,
  ): Promise<Readonly<Record<O, Column<Float32Array>>>> =>
    turns.take(async () => {
      const { inputs, values, feeds, key } = await given(program, batch, set);
      putAll(feeds, 'weights', values, now);
      const runner = await sessions.get(`evaluate ${key} ${JSON.stringify(outputs)}`, () => evaluateWork(program, inputs, outputs));
      const answers = await runner.run(feeds);
      return Object.fromEntries(
        outputs.map((name) => {
          const { data, dims } = answers[`outputs/${name}`] as RuntimeTensor;
          return [name, { data: data instanceof Float32Array ? data : Float32Array.from(data as Int32Array), shape: [...dims] }];
        }),
      ) as unknown as Record<O, Column<Float32Array>>;
    });

  const gradients = (program: Program<'loss'>, batch: AnyBatch): Promise<Gradients> =>
    turns.take(async () => {
      const { inputs, values, feeds, key } = await given(program, batch, program.weights);
      putAll(feeds, 'weights', values, now);
      const names = located(program.recipe, () => trainedBy(inputs));
      const runner = await sessions.get(`gradients ${key}`, () => gradientsWork(program, inputs));
      const answers = await runner.run(feeds);
      const [sum, count] = floats(answers.total);
      const found = names.map((name): [string, HostGradient] => {
        const gradient = answers[`gradients/${name}`] as RuntimeTensor;
        return [name, { data: gradient.data as Float32Array, shape: gradient.dims }];
      });
      return new OnnxGradients(owner, Object.fromEntries(found), sum as number, count as number);
    });

  const update = async (optimizer: Optimizer, set: string, handle: Gradients, { learningRate, step }: UpdateScalars): Promise<void> => {
    if (!(handle instanceof OnnxGradients)) throw foreign('update');
    await turns.take(async () => {
      const changes = handle.read('update', owner) as Values<HostGradient>;
      try {
        const before = weights.pick(set, Object.keys(changes));
        const key = shapes(changes);
        const { wanted, values, made } = slotsFor(optimizer, set, key, before);
        const runner = await sessions.get(`update ${declarations.number(optimizer)} ${key}`, () => updateWork(optimizer, changes, wanted));
        const feeds: Feeds = {};
        putAll(feeds, 'gradients', changes, tensor);
        const { accept } = await exchange(runner, feeds, { read: before, written: before, slots: values }, { learningRate, step });
        accept();
        weights.add(`${set}.optimizer`, made);
      } finally {
        handle.free('update');
      }
    });
  };

  const step = async (
    program: Program<'loss'>,
    batch: AnyBatch,
    optimizer: Optimizer,
    scalars: UpdateScalars,
    limits: { readonly clip?: number },
  ): Promise<StepOutcome> => {
    const clip = checkClip(limits);
    const clips = clip < Number.POSITIVE_INFINITY;
    return turns.take(async () => {
      // 1. What goes in.
      const { inputs, values, feeds, key } = await given(program, batch, program.weights);
      const before: Record<string, StateValue> = {};
      for (const name of located(program.recipe, () => trainedBy(inputs))) before[name] = values[name] as StateValue;
      const { wanted, values: state, made } = slotsFor(optimizer, program.weights, key, before);
      // 2. The run. It writes beside the weights.
      const runner = await sessions.get(`step ${key} ${declarations.number(optimizer)} ${clips}`, () => stepWork(program, inputs, optimizer, wanted, clips));
      const { learningRate, step: number } = scalars;
      const { answers, accept } = await exchange(
        runner,
        feeds,
        { read: values, written: before, slots: state },
        { learningRate, step: number, ...(clips ? { clip } : {}) },
      );
      // 3. What came out, and whether it counts.
      const [sum, count] = floats(answers.total) as unknown as [number, number];
      const counts = Number.isFinite(sum) && Number.isFinite(count);
      const gradientNorm = !counts ? Number.NaN : count === 0 ? 0 : Math.sqrt(floats(answers.squares)[0] as number) / count;
      const finite = Number.isFinite(gradientNorm);
      if (!finite || count === 0) {
        memory.discard(answers);
        return { sum, count, gradientNorm, finite };
      }
      accept();
      weights.add(`${program.weights}.optimizer`, made);
      return { sum, count, gradientNorm, finite };
    });
  };

  const dispose = (): void => {
    if (disposed) return;
    for (const handle of [...owner.alive]) handle.free('the end of the executor');
    for (const set of weights.sets()) weights.forget(set);
    disposed = true;
    // After what is running.
    void turns.take(async () => {
      await sessions.release();
      await memory.release();
    });
  };

  const alive = (): number => [...owner.alive].reduce((sum, handle) => sum + handle.size, tf.memory().numTensors + weights.size());

  return { backend: 'onnx', weights, evaluate, gradients, update, step, tensors: alive, dispose };
}

type Feeds = Record<string, RuntimeTensor>;

const now = (value: StateValue): RuntimeTensor => value.now;
const next = (value: StateValue): RuntimeTensor => value.next as RuntimeTensor;
const floats = (tensor: RuntimeTensor | undefined): Float32Array => (tensor as RuntimeTensor).data as Float32Array;

/** A key part for values by name. */
function shapes(values: Values<HostGradient>): string {
  return JSON.stringify(Object.entries(values).map(([name, { shape }]) => [name, ...shape]));
}
