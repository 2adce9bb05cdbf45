import { describe, expect, it } from 'vitest';
import { flatUpdates } from '../../../../src/backends/onnx/rewrites/flatUpdates.js';
import { Sketch, counts, expectSame } from './sketch.js';

/** A momentum step of a parameter of this shape: [next weight, next velocity]. */
function update(s: Sketch, shape: readonly number[], rate: string, decay?: string): [string, string] {
  const [weight, velocity] = [s.input(shape), s.input(shape)];
  const gradient = s.op('Softmax', [s.input(shape)], shape, { axis: { int: -1 } });
  const next = s.el('Add', s.el('Mul', velocity, 0.9), gradient);
  return [s.el('Sub', decay === undefined ? weight : s.el('Mul', weight, decay), s.el('Mul', next, rate)), next];
}

describe('flatUpdates', () => {
  it('updates small parameters of one kind as one vector, and another kind as another', async () => {
    const s = new Sketch();
    const [rate, decay] = [s.input([]), s.input([])];
    const vectors = [[3], [5], [2], [7]].map((shape) => update(s, shape, rate));
    const matrices = [
      [3, 4],
      [2, 2],
      [5, 1],
    ].map((shape) => update(s, shape, rate, decay));
    const before = s.graph(...[...vectors, ...matrices].flat());
    const after = flatUpdates(before);
    // Per kind one operation of each sort; a Concat for weights, velocities and gradients; a Split for both results.
    expect(counts(after)).toMatchObject({ Add: 2, Sub: 2, Mul: 5, Concat: 6, Split: 4, Softmax: 7 });
    await expectSame(before, after, { within: 0 });
  });

  it('keeps what something else reads of an update', async () => {
    const s = new Sketch();
    const rate = s.input([]);
    const updates = [[3], [5], [2]].map((shape) => update(s, shape, rate));
    const before = s.graph(...updates.flat(), s.reduce('ReduceSum', updates[0]![1], [0], false));
    const after = flatUpdates(before);
    expect(counts(after)).toMatchObject({ Sub: 1, Split: 2, ReduceSum: 1 });
    await expectSame(before, after);
  });

  it('leaves large parameters, fewer than three, and those with scalars of their own', () => {
    const s = new Sketch();
    const [rate, other] = [s.input([]), s.input([])];
    const large = [0, 1, 2].map(() => update(s, [201, 200], rate));
    const graph = s.graph(...[update(s, [3], rate), update(s, [5], rate), update(s, [2], other), ...large].flat());
    expect(flatUpdates(graph)).toBe(graph);
  });
});
