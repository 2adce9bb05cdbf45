// Evaluates programs as graphs of TensorFlow: an evaluation, gradients, an update, or a whole step is one call of the
// library instead of some thousand. Weights, slots and gradients are tensors of tfjs-node, shared with the eager executor,
// which does what cannot be traced: the same engine, only slower.
import * as tf from '@tensorflow/tfjs';
import type { AnyBatch, Column } from '../../core/batch.js';
import { checkInteger, checkOptions } from '../../core/options.js';
import type { Executor, Gradients, Optimizer, Parameters, Program, Tensor, Tensors } from '../../core/program.js';
import type { Recipe } from '../../core/recipe.js';
import { checkClip } from '../checkClip.js';
import { eagerExecutor, upload } from '../eagerExecutor.js';
import { EagerGradients } from '../eagerGradients.js';
import { eagerState } from '../eagerState.js';
import { foreign } from '../gradientHandle.js';
import { type ProgramInputs, trainedBy } from '../inputsOf.js';
import { located } from '../located.js';
import { Declarations } from '../onnx/declarations.js';
import { evaluateWork } from '../onnx/evaluateWork.js';
import { gradientsWork } from '../onnx/gradientsWork.js';
import { stepWork } from '../onnx/stepWork.js';
import { updateWork } from '../onnx/updateWork.js';
import { eachUnder, prefixed, putAll } from '../onnx/work.js';
import { GraphGradients } from './graphGradients.js';
import { SavedGraphs } from './savedGraphs.js';

export interface TensorflowExecutorOptions {
  /** Name of the engine: `tfjs-node` or `tfjs-node-gpu`. tfjs must have loaded its backend, `tensorflow`. */
  readonly backend: string;
  /** The run's seed. */
  readonly seed: number;
  /** Graphs that are kept, one for each program, signature and kind of work; default 16. */
  readonly graphs?: number;
  /** Told once of each piece of work that cannot be a graph; default: a warning of the process. */
  readonly warn?: (line: string) => void;
}

/**
 * An executor of TensorFlow's graphs.
 *
 * A program is traced and loaded when it is first used, and again for each new signature; what it does then depends on its
 * inputs alone. Work that reads values back while it is described, or uses an operation without a recorder, is done
 * operation by operation, and a warning says which and why.
 *
 * @example
 * const executor = tensorflowExecutor({ backend: 'tfjs-node', seed: 0 });
 */
export function tensorflowExecutor(options: TensorflowExecutorOptions): Executor {
  checkOptions('tensorflowExecutor', options, ['backend', 'seed', 'graphs', 'warn']);
  const { backend, seed, graphs: limit = 16, warn = (line) => process.emitWarning(line, 'MaskflowWarning') } = options;
  checkInteger('tensorflowExecutor', 'graphs', limit);
  const state = eagerState({ tfjs: 'tensorflow', seed });
  const { enter, owner, weights } = state;
  const eager = eagerExecutor({ backend, seed, tfjs: 'tensorflow' }, state);
  const graphs = new SavedGraphs({ engine: backend, limit, warn });
  const declarations = new Declarations(seed, 4 * limit);

  /** What a program reads, and the key of its signature. */
  const given = (program: Program, batch: AnyBatch, set: string) => {
    enter();
    return located(program.recipe, () => {
      const { key, inputs } = declarations.inputs(program, batch);
      return { key, inputs, values: weights.ensure(set, inputs.parameters) };
    });
  };

  const evaluate = async <O extends string>(
    program: Program<O>,
    batch: AnyBatch,
    outputs: readonly O[],
    set: string = program.weights,
  ): Promise<Readonly<Record<O, Column<Float32Array>>>> => {
    const { key, inputs, values } = given(program, batch, set);
    const graph = graphs.get(`evaluate ${key} ${JSON.stringify(outputs)}`, () => evaluateWork(program, inputs, outputs));
    if (graph === undefined) return eager.evaluate(program, batch, outputs, set);
    const answers = inScope(program.recipe, () => graph.run({ ...prefixed('weights', values), ...uploaded(inputs) }));
    try {
      return Object.fromEntries(
        outputs.map((name) => {
          const tensor = answers[`outputs/${name}`] as Tensor;
          return [name, { data: Float32Array.from(tensor.dataSync()), shape: [...tensor.shape] }];
        }),
      ) as unknown as Record<O, Column<Float32Array>>;
    } finally {
      free(answers);
    }
  };

  const gradients = async (program: Program<'loss'>, batch: AnyBatch): Promise<Gradients> => {
    const { key, inputs, values } = given(program, batch, program.weights);
    located(program.recipe, () => trainedBy(inputs));
    const graph = graphs.get(`gradients ${key}`, () => gradientsWork(program, inputs));
    if (graph === undefined) return eager.gradients(program, batch);
    const { total, ...answers } = inScope(program.recipe, () => graph.run({ ...prefixed('weights', values), ...uploaded(inputs) }));
    const [sum, count] = read(total);
    return new GraphGradients(
      owner,
      kept(answers, 'gradients', Object.fromEntries(inputs.trainable.map((name) => [name, true]))),
      sum as number,
      count as number,
    );
  };

  const update: Executor['update'] = async (optimizer, set, handle, { learningRate, step: number }) => {
    if (!(handle instanceof EagerGradients)) throw foreign('update');
    const changes = handle.read('update', owner);
    try {
      const before = located(optimizer.recipe, () => weights.pick(set, Object.keys(changes)));
      const key = JSON.stringify(Object.entries(changes).map(([name, { shape }]) => [name, ...shape]));
      const wanted = slotsFor(optimizer, key, before);
      const graph = graphs.get(`update ${declarations.number(optimizer)} ${key}`, () => updateWork(optimizer, changes, wanted));
      if (graph === undefined) return await eager.update(optimizer, set, handle, { learningRate, step: number });
      exchange(optimizer, set, before, wanted, (state) => {
        const feeds = { ...prefixed('weights', before), ...prefixed('gradients', changes), ...prefixed('slots', state) };
        const answers = inScope(optimizer.recipe, () => graph.run({ ...feeds, ...scalars({ learningRate, step: number }) }));
        return { answers, counts: true, outcome: undefined };
      });
    } finally {
      handle.free('update');
    }
  };

  const step: Executor['step'] = async (program, batch, optimizer, { learningRate, step: number }, limits) => {
    const clip = checkClip(limits);
    const clips = clip < Number.POSITIVE_INFINITY;
    const { key, inputs, values } = given(program, batch, program.weights);
    const before = Object.fromEntries(located(program.recipe, () => trainedBy(inputs)).map((name) => [name, values[name] as Tensor]));
    const wanted = slotsFor(optimizer, key, before);
    const graph = graphs.get(`step ${key} ${declarations.number(optimizer)} ${clips}`, () => stepWork(program, inputs, optimizer, wanted, clips));
    if (graph === undefined) return eager.step(program, batch, optimizer, { learningRate, step: number }, limits);
    return exchange(optimizer, program.weights, before, wanted, (state) => {
      const feeds = { ...prefixed('weights', values), ...prefixed('slots', state) };
      const fresh = () => ({ ...uploaded(inputs), ...scalars({ learningRate, step: number, ...(clips ? { clip } : {}) }) });
      const { total, squares, ...answers } = inScope(program.recipe, () => graph.run({ ...feeds, ...fresh() }));
      const [sum, count] = read(total) as unknown as [number, number];
      const norm = Math.sqrt(read(squares).reduce((total, square) => total + square, 0));
      const gradientNorm = !Number.isFinite(sum) || !Number.isFinite(count) ? Number.NaN : count === 0 ? 0 : norm / count;
      const finite = Number.isFinite(gradientNorm);
      return { answers, counts: finite && count !== 0, outcome: { sum, count, gradientNorm, finite } };
    });
  };

  /** The slots that an optimiser keeps for these weights. */
  const slotsFor = (optimizer: Optimizer, key: string, before: Tensors): Parameters =>
    located(optimizer.recipe, () => declarations.slots(optimizer, key, before));

  /** Runs an update. Where it counts, its answers become the weights and slots; else nothing has happened. */
  const exchange = <T>(
    optimizer: Optimizer,
    set: string,
    before: Tensors,
    wanted: Parameters,
    run: (slots: Tensors) => { readonly answers: Record<string, Tensor>; readonly counts: boolean; readonly outcome: T },
  ): T => {
    const { values, made } = located(optimizer.recipe, () => weights.prepare(`${set}.optimizer`, wanted));
    let accepted = false;
    try {
      const { answers, counts, outcome } = run(values);
      if (counts) {
        weights.add(`${set}.optimizer`, made);
        accepted = true;
        weights.replace(set, kept(answers, 'next/weights', before));
        weights.replace(`${set}.optimizer`, kept(answers, 'next/slots', values));
      } else free(answers);
      return outcome;
    } finally {
      if (!accepted) for (const slot of made.values()) slot.dispose();
    }
  };

  const dispose = (): void => {
    graphs.release();
    state.dispose();
  };

  return { ...eager, evaluate, gradients, update, step, dispose };
}

/** Runs a graph; of what was made for it, its answers alone stay. */
const inScope = (of: Recipe, run: () => Record<string, Tensor>): Record<string, Tensor> => located(of, () => tf.tidy(run));

/** The columns and draws of a batch, on the engine. */
const uploaded = ({ columns, draws }: ProgramInputs): Tensors => ({ ...prefixed('columns', upload(columns)), ...prefixed('draws', upload(draws)) });

const scalars = (values: Readonly<Record<string, number>>): Tensors => {
  const given: Record<string, Tensor> = {};
  putAll(given, 'scalars', values, (value) => tf.scalar(value));
  return given;
};

/** The values of a tensor, which goes. */
function read(tensor: Tensor | undefined): Float32Array {
  const found = tensor as Tensor;
  const data = found.dataSync<'float32'>();
  found.dispose();
  return data;
}

/** Those answers that bear these names under a prefix, to outlive every scope. */
function kept(answers: Readonly<Record<string, Tensor>>, prefix: string, names: Readonly<Record<string, unknown>>): Record<string, Tensor> {
  const found: Record<string, Tensor> = {};
  eachUnder(prefix, names, (_, name) => {
    found[name.slice(prefix.length + 1)] = tf.keep(answers[name] as Tensor);
  });
  return found;
}

const free = (tensors: Readonly<Record<string, Tensor>>): void => {
  for (const tensor of Object.values(tensors)) tensor.dispose();
};
