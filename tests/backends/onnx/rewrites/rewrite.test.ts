// All rules together, on whole training steps: what they leave, that they change no result, and that each can be left out.
import { describe, expect, it } from 'vitest';
import { inputsOf } from '../../../../src/backends/inputsOf.js';
import type { Graph } from '../../../../src/backends/onnx/graph.js';
import { rewrite, rules } from '../../../../src/backends/onnx/rewrites/rewrite.js';
import { sizeOf } from '../../../../src/backends/onnx/rewrites/shapes.js';
import { stepWork } from '../../../../src/backends/onnx/stepWork.js';
import { trace } from '../../../../src/backends/onnx/trace.js';
import { adamw, sgd, signatureOf } from '../../../../src/index.js';
import { mainJob } from '../../../../bench/support/mainJob.js';
import { w1 } from '../../../../bench/support/w1.js';
import { w2 } from '../../../../bench/support/w2.js';
import type { Workload } from '../../../../bench/support/workload.js';
import { expectWhole, counts, numbers } from './sketch.js';
import { present, runGraph } from '../runGraph.js';
import { zeros } from '../../../../src/models/initializers/index.js';

const workloads: Readonly<Record<string, () => Workload>> = {
  blocks: () => w1({ rows: 2, tokens: 6, width: 12, heads: 3, depth: 2 }),
  // Rows enough that norms are folded into what follows them.
  'many rows': () => w1({ rows: 40, tokens: 50, width: 12, heads: 3, depth: 1 }),
  'masked autoencoder': () => w2({ rows: 2 }),
  'main job, clipped': () => mainJob({ rows: 2 }),
  momentum: () => ({ ...w1({ rows: 2, tokens: 6, width: 12, heads: 3, depth: 1 }), optimizer: sgd({ momentum: 0.9, nesterov: true, weightDecay: 0.01 }) }),
  'no decay': () => ({ ...w1({ rows: 2, tokens: 6, width: 12, heads: 3, depth: 1 }), optimizer: adamw({ weightDecay: 0 }) }),
};

/** The step of a workload as the tracer records it, and what to feed it. */
function stepOf({ program, batch, optimizer, clip, weights }: Workload): { graph: Graph; feeds: Record<string, never> } {
  const inputs = inputsOf(program, batch, 0);
  const parameters = Object.entries(program.parameters(signatureOf(batch)));
  const specs = Object.fromEntries(
    parameters.filter(([, { trainable }]) => trainable !== false).map(([name, { shape }]) => [name, { shape, dtype: 'float32' as const }]),
  );
  const slots = Object.fromEntries(Object.entries(optimizer.slots(specs)).map(([name, { shape }]) => [name, { shape, init: zeros() }]));
  const work = stepWork(program, inputs, optimizer, slots, clip !== undefined);
  const graph = trace(work.inputs, work.build);
  const scalars: Record<string, number> = { 'scalars/learningRate': 1e-3, 'scalars/step': 7, 'scalars/clip': 0.01 };
  const feeds = Object.fromEntries(
    graph.inputs.map((name, i) => {
      const { shape, type } = graph.values.get(name)!;
      const [kind, ...rest] = name.split('/');
      const drawn = numbers(sizeOf(shape), i);
      if (kind === 'scalars') return [name, Float32Array.of(scalars[name]!)];
      // Gains and shifts that are not 1 and 0.
      if (kind === 'weights') return [name, Float32Array.from(weights.get(rest.join('/'))!.data, (number, k) => number + 0.02 * drawn[k]!)];
      if (kind === 'slots') return [name, drawn.map((number) => (name.endsWith('Sq') ? 1e-4 * Math.abs(number) : 0.01 * number))];
      const { data } = inputs.columns[rest.join('/')]!;
      return [name, type === 'int64' ? BigInt64Array.from(data as ArrayLike<number>, BigInt) : data];
    }),
  );
  return { graph, feeds: feeds as Record<string, never> };
}

const answers = new WeakMap<Graph, ReturnType<typeof runGraph>>();

async function expectEqualSteps(before: Graph, after: Graph, feeds: Record<string, never>): Promise<void> {
  expectWhole(after);
  if (!present() || after === before) return;
  if (!answers.has(before)) answers.set(before, runGraph(before, feeds));
  const [left, right] = [await answers.get(before)!, await runGraph(after, feeds)];
  expect(Object.keys(right)).toEqual(Object.keys(left));
  for (const [name, { data, shape }] of Object.entries(left)) {
    const other = right[name]!;
    expect(other.shape).toEqual(shape);
    const [a, b] = [data as Float32Array, other.data as Float32Array];
    let [largest, worst] = [1e-6, 0];
    for (let i = 0; i < a.length; i++) {
      largest = Math.max(largest, Math.abs(a[i]!));
      worst = Math.max(worst, Math.abs(a[i]! - b[i]!));
    }
    expect(worst / largest, name).toBeLessThan(2e-5);
  }
}

describe.each(Object.keys(workloads))('the step of %s', (name) => {
  const { graph, feeds } = stepOf(workloads[name]!());

  it('gives the same weights, slots and loss as the trace', async () => {
    const after = rewrite(graph);
    expect(after.nodes.length).toBeLessThan(0.65 * graph.nodes.length);
    await expectEqualSteps(graph, after, feeds);
  });

  it('is the same graph each time, and a second rewriting finds nothing that matters', () => {
    const [first, second] = [rewrite(graph), rewrite(graph)];
    expect(second.nodes).toEqual(first.nodes);
    expect([...second.constants]).toEqual([...first.constants]);
  });
});

describe('rewrite', () => {
  // Clipped, with rows enough for every rule.
  const { graph, feeds } = stepOf({ ...w1({ rows: 40, tokens: 50, width: 12, heads: 3, depth: 1 }), clip: 1 });

  it.each(Object.keys(rules))('gives the same step without %s', async (name) => {
    await expectEqualSteps(graph, rewrite(graph, { without: [name] }), feeds);
  });

  it.each(Object.entries(rules))('%s alone gives the same step and leaves the trace untouched', async (_, rule) => {
    const copy = structuredClone(graph.nodes);
    await expectEqualSteps(graph, rule(graph), feeds);
    expect(graph.nodes).toEqual(copy);
  });

  it('leaves no chain that a rule is for', () => {
    const left = counts(rewrite(graph));
    expect([left.Pow, left.Erf, left.LayerNormalization]).toEqual([undefined, 1, 2]);
  });

  it('without all rules is the graph itself', () => {
    expect(rewrite(graph, { without: Object.keys(rules) })).toBe(graph);
  });

  it('names the rules where one is unknown', () => {
    expect(() => rewrite(graph, { without: ['foldNorm'] })).toThrow(/no rewrite rule foldNorm; rules: foldConstants, /);
  });
});
