// The rules that know a layer: layer norm with its gradient and its fold into what follows, GELU.
import * as tf from '@tensorflow/tfjs';
import { describe, expect, it } from 'vitest';
import type { Graph, Rewrite } from '../../../../src/backends/onnx/graph.js';
import { gelu as geluRule } from '../../../../src/backends/onnx/rewrites/gelu.js';
import { layerNorm as layerNormRule } from '../../../../src/backends/onnx/rewrites/layerNorm.js';
import { type RewriteOptions, rewrite, rules } from '../../../../src/backends/onnx/rewrites/rewrite.js';
import type { Tensor, Tensors } from '../../../../src/core/program.js';
import { gelu, layerNorm, linear } from '../../../../src/models/layers/index.js';
import { Sketch, counts, expectSame } from './sketch.js';
import { traced } from './traced.js';

const canonical = (graph: Graph): Graph =>
  rewrite(graph, { without: ['layerNorm', 'layerNormGradient', 'gelu', 'foldNorms', 'columnSums', 'weightGradients', 'flatUpdates', 'nameOutputs'] });
/** Everything but what runs once at the end. */
const without = (...names: string[]): RewriteOptions => ({ without: [...names, 'columnSums', 'weightGradients'] });
const norm = (given: Tensors): Tensor => layerNorm({ 'n.weight': given.g as Tensor, 'n.bias': given.b as Tensor }, 'n', given.x as Tensor, 1e-6);
const full = (graph: Graph, size: number): string[] =>
  graph.nodes
    .filter(({ op, outputs }) => op !== 'Reshape' && (graph.values.get(outputs[0]!)?.shape ?? []).reduce((a, b) => a * b, 1) === size)
    .map(({ op }) => op);

describe('layerNorm', () => {
  it.each([[[6, 8]], [[2, 3, 8]], [[2, 2, 3, 16]]])('becomes one node, gain and shift included, over the last axis of %j', async (shape) => {
    const width = shape.at(-1)!;
    const before = traced({ x: shape, g: [width], b: [width] }, norm, { gradients: false });
    const after = rewrite(before);
    expect(Object.keys(counts(after)).filter((op) => op !== 'Reshape')).toEqual(['LayerNormalization']);
    const attribute = after.nodes.find(({ op }) => op === 'LayerNormalization')?.attributes.epsilon as { float: number };
    expect(attribute.float).toBeCloseTo(1e-6, 12);
    await expectSame(before, after);
  });

  it('knows tf.moments and another eps', async () => {
    const build = ({ x }: Tensors): Tensor => {
      const { mean, variance } = tf.moments(x as Tensor, -1, true);
      return (x as Tensor).sub(mean).mul(tf.rsqrt(variance.add(0.5)));
    };
    const before = traced({ x: [4, 8] }, build, { gradients: false });
    const after = rewrite(before);
    expect(counts(after)).toEqual({ LayerNormalization: 1 });
    await expectSame(before, after);
  });

  it.each<[string, (x: Tensor) => Tensor]>([
    ['another axis', (x) => x.sub(x.mean(0, true)).mul(tf.rsqrt(x.sub(x.mean(0, true)).square().mean(0, true).add(1e-6)))],
    ['the mean of something else', (x) => x.sub(x.exp().mean(-1, true)).mul(tf.rsqrt(x.sub(x.exp().mean(-1, true)).square().mean(-1, true).add(1e-6)))],
    ['an unbiased variance', (x) => x.sub(x.mean(-1, true)).mul(tf.rsqrt(x.sub(x.mean(-1, true)).square().sum(-1, true).div(7).add(1e-6)))],
    ['an eps that is no constant', (x) => x.sub(x.mean(-1, true)).mul(tf.rsqrt(x.sub(x.mean(-1, true)).square().mean(-1, true).add(x.max().abs())))],
  ])('does not take %s for it', async (_, build) => {
    const before = traced({ x: [4, 8] }, ({ x }) => build(x as Tensor), { gradients: false });
    const after = rewrite(before);
    expect(counts(after).LayerNormalization).toBeUndefined();
    await expectSame(before, after, { positive: true });
  });

  it('gives mean and deviation to who else reads them', async () => {
    const before = traced({ x: [4, 8], g: [8], b: [8] }, (given) => norm(given).add((given.x as Tensor).mean(-1, true)), { gradients: false });
    const after = rewrite(before);
    expect(counts(after)).toEqual({ LayerNormalization: 1, Add: 1 });
    await expectSame(before, after);
  });

  it('has nothing to do in a graph without a norm', () => {
    const s = new Sketch();
    const graph = s.graph(s.el('Reciprocal', s.el('Sqrt', s.el('Add', s.input([3]), 1))));
    expect(layerNormRule(graph)).toBe(graph);
  });
});

describe('layerNormGradient', () => {
  const shapes = { x: [2, 3, 8], g: [8], b: [8] };

  it('needs seven passes instead of the differentiated chain, with a residual beside it too', async () => {
    for (const build of [norm, (given: Tensors) => norm(given).add(given.x as Tensor)]) {
      const before = traced(shapes, build);
      const [short, long] = [rewrite(before, without('foldNorms')), rewrite(before, without('foldNorms', 'layerNormGradient'))];
      expect(counts(short).Pow ?? 0).toBe(0);
      expect(counts(long).Pow).toBe(1);
      expect(full(short, 48).length).toBeLessThan(full(long, 48).length);
      await expectSame(before, short);
      await expectSame(before, long);
    }
  });

  it('leaves the chain where the centred rows serve something else', async () => {
    const before = traced(shapes, (given) => {
      const x = given.x as Tensor;
      const centred = x.sub(x.mean(-1, true));
      const normal = centred.mul(tf.rsqrt(centred.square().mean(-1, true).add(1e-6)));
      return normal
        .mul(given.g as Tensor)
        .add(given.b as Tensor)
        .add(centred.exp());
    });
    const after = rewrite(before);
    expect(counts(after).Pow).toBe(1);
    await expectSame(before, after, { within: 1e-4 });
  });

  it('leaves it where the gradient of the normed rows is scaled between', async () => {
    const before = traced(shapes, (given) => norm({ ...given, x: (given.x as Tensor).mul(given.x as Tensor) }));
    await expectSame(before, rewrite(before), { within: 1e-4 });
  });
});

describe('foldNorms', () => {
  const rows = 3000;
  const layer = (given: Tensors, name: string, x: Tensor): Tensor =>
    linear({ 'l.weight': given[`${name}w`] as Tensor, 'l.bias': given[`${name}b`] as Tensor }, 'l', x);
  const shapes = { x: [2, rows, 8], g: [8], b: [8], qw: [3, 8], qb: [3], kw: [4, 8], kb: [4] };
  const two = (given: Tensors): Tensor => {
    const h = norm(given);
    return tf.concat([layer(given, 'q', h), layer(given, 'k', h).exp()], 2);
  };
  /** Passes over all rows at the norm's width. */
  const passes = (graph: Graph): string[] => full(graph, 2 * rows * 8).filter((op) => op !== 'Gemm' && op !== 'LayerNormalization');

  it('moves gain, shift and their gradients to the weights, for one layer and for two behind the norm', async () => {
    for (const build of [two, (given: Tensors) => layer(given, 'q', norm(given)).exp()]) {
      const before = traced(shapes, build);
      const [folded, plain] = [rewrite(before, without('foldScales')), rewrite(before, without('foldScales', 'foldNorms'))];
      // ∂x̂ · x̂, x̂ · mean, the difference, / σ
      expect(passes(folded)).toEqual(['Mul', 'Mul', 'Sub', 'Mul']);
      expect(passes(plain).length).toBeGreaterThan(7);
      // The gradients of the plain chain are sums of 6,000 rows that nearly cancel: compared within their rounding.
      await expectSame(before, folded, { within: 2e-4 });
    }
  });

  it('folds with the factors that GELU leaves in the products', async () => {
    const before = traced({ ...shapes, kw: [5, 3], kb: [5] }, (given) => layer(given, 'k', gelu(layer(given, 'q', norm(given)))));
    const after = rewrite(before, without());
    expect(passes(after)).toEqual(['Mul', 'Mul', 'Sub', 'Mul']);
    await expectSame(before, after, { within: 2e-4 });
  });

  it.each<[string, Record<string, readonly number[]>, (given: Tensors) => Tensor, readonly string[] | true]>([
    ['rows are few', { ...shapes, x: [2, 3, 8] }, two, true],
    ['something else reads the norm', shapes, (given) => tf.concat([two(given), norm(given).tanh()], 2), true],
    ['a weight is not trained', shapes, two, ['x', 'g', 'b', 'qw', 'qb', 'kb']],
  ])('does nothing where %s', async (_, inputs, build, gradients) => {
    const before = traced(inputs, build, { gradients });
    const after = rewrite(before, without());
    expect(counts(after)).toEqual(counts(rewrite(before, without('foldNorms'))));
    await expectSame(before, after, { within: 2e-4 });
  });
});

describe('gelu', () => {
  it('is one operation where nothing is differentiated', async () => {
    const before = traced({ x: [3, 4] }, ({ x }) => gelu(x as Tensor), { gradients: false });
    const after = rewrite(before);
    expect(counts(after)).toEqual({ Gelu: 1 });
    await expectSame(before, after);
  });

  it('with its gradient takes nine passes, its constants in the products around it', async () => {
    const before = traced({ x: [5, 3], w: [3, 4], v: [4, 2] }, ({ x, w, v }) => tf.matMul(gelu(tf.matMul(x as Tensor, w as Tensor)), v as Tensor));
    const after = rewrite(before);
    expect(full(after, 20).sort()).toEqual(['Add', 'Add', 'Erf', 'Exp', 'Gemm', 'Gemm', 'Mul', 'Mul', 'Mul', 'Mul', 'Sub']);
    await expectSame(before, after);
  });

  it('differentiates twice where two losses do, and far out', async () => {
    const before = traced({ x: [200] }, ({ x }) => gelu((x as Tensor).mul(6)));
    await expectSame(before, rewrite(before));
  });

  it.each<[string, (x: Tensor) => Tensor]>([
    ['another factor', (x) => x.mul(tf.erf(x.mul(0.5)).add(1).mul(0.5))],
    ['another sum', (x) => x.mul(tf.erf(x.mul(Math.SQRT1_2)).add(2).mul(0.5))],
    ['another value', (x) => x.square().mul(tf.erf(x.mul(Math.SQRT1_2)).add(1).mul(0.5))],
  ])('does not take %s for it', async (_, build) => {
    const before = traced({ x: [3, 4] }, ({ x }) => build(x as Tensor));
    const prepared = canonical(before);
    expect(geluRule(prepared)).toBe(prepared);
    await expectSame(before, rewrite(before));
  });

  it('leaves Φ that something else reads', async () => {
    const before = traced({ x: [3, 4] }, ({ x }) => {
      const half = tf
        .erf((x as Tensor).mul(Math.SQRT1_2))
        .add(1)
        .mul(0.5);
      return (x as Tensor).mul(half).add(half);
    });
    const prepared = canonical(before);
    expect(geluRule(prepared)).toBe(prepared);
    await expectSame(before, rewrite(before));
  });
});

it('every rule of layers is in the table', () => {
  const names: readonly string[] = ['layerNorm', 'layerNormGradient', 'gelu', 'foldNorms'];
  const table: Readonly<Record<string, Rewrite>> = rules;
  expect(names.every((name) => typeof table[name] === 'function')).toBe(true);
});
