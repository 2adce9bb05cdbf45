// What each rewrite rule is worth on a training step: the step with all rules beside the step with all but one, with none, and
// with none but ONNX Runtime's own optimisations. Both run in turn in one process (A B A B …), the loss and the
// gradients' squares of both must agree. Only the session is timed; whole steps beside other programs are bench/step.ts.
// Run: npm run bench -- rewrites. BENCH_WORKLOADS=w1,mainJob and BENCH_RULES=foldNorms,none choose, BENCH_ROUNDS is the number
// of steps of each, BENCH_THREADS the threads. On a busy machine one thread and the figures in processorMilliseconds are
// the steadier ones.
import assert from 'node:assert/strict';
import { availableParallelism } from 'node:os';
import { type Column, signatureOf } from 'maskflow';
import { InferenceSession, Tensor } from 'onnxruntime-node';
import { inputsOf } from '../src/backends/inputsOf.js';
import { SEAL, encodeGraph } from '../src/backends/onnx/encodeGraph.js';
import type { Graph } from '../src/backends/onnx/graph.js';
import { rewrite, rules } from '../src/backends/onnx/rewrites/rewrite.js';
import { type Runtime, told } from '../src/backends/onnx/runtime.js';
import { refusalOf } from '../src/backends/onnx/seal.js';
import { stepWork } from '../src/backends/onnx/stepWork.js';
import { trace } from '../src/backends/onnx/trace.js';
import { zeros } from '../src/models/initializers/zeros.js';
import { line } from './support/line.js';
import { median, quantile } from './support/quantile.js';
import type { Workload } from './support/workload.js';
import { usualWorkloads, workloads } from './support/workloads.js';

const names = (process.env.BENCH_WORKLOADS ?? usualWorkloads.join()).split(',');
const rounds = Number(process.env.BENCH_ROUNDS ?? 15);
const threads = Number(process.env.BENCH_THREADS ?? availableParallelism());
const variants = (process.env.BENCH_RULES ?? ['none', 'onnxruntime', ...Object.keys(rules)].join()).split(',');
/** Steps of a session before it is timed. */
const warm = 2;
/** Largest difference of an output, as a share of its largest number. */
const tolerance = 1e-4;

type Tensors = Record<string, Tensor>;

/** A session with its inputs and the tensors that it writes into. */
interface Step {
  readonly graph: Graph;
  run(): Promise<{ readonly clock: number; readonly processor: number }>;
  outputs(): Tensors;
  release(): Promise<void>;
}

const sizeOf = (shape: readonly number[]): number => shape.reduce((size, side) => size * side, 1);

/** The step of a workload as the tracer records it, and its inputs. */
function traced({ program, batch, optimizer, clip, scalars, weights }: Workload): { graph: Graph; feeds: Tensors; milliseconds: number } {
  const inputs = inputsOf(program, batch, 0);
  const trainable = Object.entries(program.parameters(signatureOf(batch))).filter(([, parameter]) => parameter.trainable !== false);
  const specs = Object.fromEntries(trainable.map(([name, { shape }]) => [name, { shape, dtype: 'float32' as const }]));
  const slots = Object.fromEntries(Object.entries(optimizer.slots(specs)).map(([name, { shape }]) => [name, { shape, init: zeros() }]));
  const work = stepWork(program, inputs, optimizer, slots, clip !== undefined);
  const started = performance.now();
  const graph = trace(work.inputs, work.build);
  const milliseconds = performance.now() - started;
  const numbers: Readonly<Record<string, number>> = { ...scalars(1), clip: clip ?? 0 };
  const feeds: Tensors = {};
  for (const name of graph.inputs) {
    const type = graph.values.get(name)?.type ?? 'float32';
    const [kind, ...rest] = name.split('/');
    const key = rest.join('/');
    const given: Column =
      kind === 'weights'
        ? (weights.get(key) as Column)
        : kind === 'columns'
          ? (inputs.columns[key] as Column)
          : kind === 'scalars'
            ? { data: Float32Array.of(numbers[key] ?? 0), shape: [] }
            : { data: new Float32Array(sizeOf(slots[key]?.shape ?? [])), shape: slots[key]?.shape ?? [] };
    const data = type === 'int64' ? BigInt64Array.from(given.data, BigInt) : given.data;
    feeds[name] = new Tensor(type, data as Float32Array, [...given.shape]);
  }
  return { graph, feeds, milliseconds };
}

async function sessionOf(graph: Graph, feeds: Tensors, optimizations: 'disabled' | 'all' = 'disabled'): Promise<Step> {
  // As the engine runs it, but with state one by one.
  const refusal = await refusalOf({ InferenceSession, Tensor } as unknown as Runtime);
  const session = await InferenceSession.create(encodeGraph(graph, { sealed: refusal !== undefined }), {
    executionProviders: ['cpu'],
    intraOpNumThreads: threads,
    graphOptimizationLevel: optimizations,
    logSeverityLevel: 4,
    extra: { session: { set_denormal_as_zero: '1', force_spinning_stop: '1', intra_op: { spin_duration_us: '50' } } },
  });
  const fetches: Tensors = {};
  for (const [name, value] of graph.outputs) {
    const { shape = [] } = graph.values.get(value) ?? {};
    fetches[name] = new Tensor('float32', new Float32Array(sizeOf(shape)), [...shape]);
  }
  const run = async () => {
    const before = process.cpuUsage();
    const started = performance.now();
    await session.run(feeds, refusal === undefined ? fetches : ({ [SEAL]: null, ...fetches } as unknown as Tensors)).catch((error: unknown) => {
      if (told(error) !== refusal) throw error;
    });
    const clock = performance.now() - started;
    const { user, system } = process.cpuUsage(before);
    return { clock, processor: (user + system) / 1000 };
  };
  for (let i = 0; i < warm; i++) await run();
  return { graph, run, outputs: () => fetches, release: () => session.release() };
}

/**
 * The largest difference of loss and squares, as a share of the largest number in each. Not of the new weights: Adam's first
 * step makes ±1 of a gradient that is zero but for rounding, such as that of the keys' bias.
 */
function difference(a: Tensors, b: Tensors): number {
  let worst = 0;
  for (const name of ['total', 'squares']) {
    const [x, y] = [a[name]?.data as Float32Array, b[name]?.data as Float32Array];
    let [largest, gap] = [1e-12, 0];
    for (let i = 0; i < x.length; i++) {
      largest = Math.max(largest, Math.abs(x[i] as number));
      gap = Math.max(gap, Math.abs((x[i] as number) - (y[i] as number)));
    }
    worst = Math.max(worst, gap / largest);
  }
  return worst;
}

const rounded = (value: number): number => Number(value.toPrecision(4));

for (const workload of names) {
  const { graph, feeds, milliseconds } = traced((workloads[workload] as () => Workload)());
  const started = performance.now();
  const rewritten = rewrite(graph);
  const rewriting = performance.now() - started;
  const full = await sessionOf(rewritten, feeds);
  line('rewrites', {
    workload,
    threads,
    traced: graph.nodes.length,
    rewritten: rewritten.nodes.length,
    traceMilliseconds: rounded(milliseconds),
    rewriteMilliseconds: rounded(rewriting),
  });
  for (const variant of variants) {
    const bare = variant === 'none' || variant === 'onnxruntime';
    const other = await sessionOf(bare ? graph : rewrite(graph, { without: [variant] }), feeds, variant === 'onnxruntime' ? 'all' : 'disabled');
    const taken: { readonly clock: number; readonly processor: number }[][] = [[], []];
    for (let round = 0; round < rounds; round++) {
      // The order turns, so that neither always follows the other.
      for (const i of round % 2 === 0 ? [0, 1] : [1, 0]) taken[i]?.push(await (i === 0 ? full : other).run());
    }
    const apart = difference(full.outputs(), other.outputs());
    assert.ok(apart < tolerance, `${workload} without ${variant}: outputs differ by ${apart}`);
    const [ours, theirs] = taken as [{ clock: number; processor: number }[], { clock: number; processor: number }[]];
    const of = (key: 'clock' | 'processor', q: number, those: typeof ours): number =>
      rounded(
        quantile(
          those.map((one) => one[key]),
          q,
        ),
      );
    line('rewrites', {
      workload,
      without: bare ? 'all rules' : variant,
      ...(variant === 'onnxruntime' ? { optimizations: "ONNX Runtime's own" } : {}),
      threads,
      nodes: other.graph.nodes.length,
      milliseconds: of('clock', 0.5, theirs),
      withAllRules: of('clock', 0.5, ours),
      worth: rounded(median(theirs.map(({ clock }, i) => clock / (ours[i] as { clock: number }).clock)) - 1),
      processorMilliseconds: of('processor', 0.1, theirs),
      processorWithAllRules: of('processor', 0.1, ours),
      difference: rounded(apart),
    });
    await other.release();
  }
  await full.release();
}
