// SpanBERT's boundary objective: the plan against a definition by brute force, head, loss and gradients against an independent
// float64 reference, and whole steps on every engine against `cpu`.
import fc from 'fast-check';
import { beforeEach, describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/index.js';
import { useBackend } from '../../src/backends/useBackend.js';
import { type AnyBatch, type Column, withColumns } from '../../src/core/batch.js';
import { type Program, type Tensor, signatureOf } from '../../src/core/program.js';
import { maskedLanguage } from '../../src/losses/maskedLanguage.js';
import { spanBoundary } from '../../src/losses/spanBoundary.js';
import { askedPlan } from '../../src/models/askedPlan.js';
import { zeros } from '../../src/models/initializers/zeros.js';
import { type SpanTokens, spanBoundaryPlan } from '../../src/models/spanBoundaryPlan.js';
import { type TextEncoder, textEncoder } from '../../src/models/textEncoder.js';
import { withSpanBoundary } from '../../src/models/withSpanBoundary.js';
import { withLoss } from '../../src/operators/loss.js';
import { sgd } from '../../src/optimizers/sgd.js';
import { presentBackends, presentTfjs, tfjsName } from '../backends/presentBackends.js';
import { type Values, batchOf, firstValues, formulaValues, forward, largestDifference, lengthColumn, lossAndGradients, prepared } from './harness.js';
import { ints } from './ints.js';

const bytes = (rows: readonly (readonly number[])[]): Column<Uint8Array> => ({
  data: Uint8Array.from(rows.flat()),
  shape: [rows.length, rows[0]?.length ?? 0],
});
/** Slots of a plan as [position, left, right, offset]; those that are not asked left out. */
function slotsOf(hidden: Column, known: Omit<SpanTokens, 'hidden'> = {}, targets = 15): number[][] {
  const labels = { data: Int32Array.from(hidden.data, (bit) => (bit > 0 ? 1 : -100)), shape: hidden.shape };
  const { asked } = askedPlan(labels);
  const { boundarySides, boundaryOffsets } = spanBoundaryPlan(asked, { hidden, ...known }, targets);
  const slots = asked.data.length;
  return [...asked.data].flatMap((position, slot) =>
    (boundaryOffsets.data[slot] as number) < 0
      ? []
      : [[position, boundarySides.data[slot], boundarySides.data[slots + slot], boundaryOffsets.data[slot]] as number[]],
  );
}

describe('spanBoundaryPlan', () => {
  it('names the tokens around each run, and places from its first token on', () => {
    expect(slotsOf(bytes([[0, 1, 1, 0, 1, 0]]))).toEqual([
      [1, 0, 3, 0],
      [2, 0, 3, 1],
      [4, 3, 5, 0],
    ]);
    // Spans that touch are one: [2, 4], [5, 6], [9, 9] are 2 … 6 and 9.
    expect(slotsOf(bytes([[0, 0, 1, 1, 1, 1, 1, 0, 0, 1, 0]])).map(([, left, right]) => [left, right])).toEqual([...new Array(5).fill([1, 7]), [8, 10]]);
  });

  it('a span at the first or last token of text, or of the row, has none', () => {
    expect(slotsOf(bytes([[1, 0, 0, 1]]))).toEqual([]);
    // [CLS] a b c d [SEP] [PAD]: a and d are the first and the last of the text.
    const special = bytes([[1, 0, 0, 0, 0, 1, 1]]);
    expect(slotsOf(bytes([[0, 1, 0, 0, 1, 0, 0]]), { special })).toEqual([]);
    expect(slotsOf(bytes([[0, 0, 1, 1, 0, 0, 0]]), { special }).map(([position]) => position)).toEqual([2, 3]);
    expect(slotsOf(bytes([[0, 0, 1, 0]]), { length: lengthColumn([3]) })).toEqual([]);
    expect(slotsOf(bytes([[0, 1, 1, 1, 1]]))).toEqual([]);
  });

  it('no span reaches into another document, hidden or not', () => {
    const documents = ints([[0, 0, 0, 1, 1, 1]]);
    expect(slotsOf(bytes([[0, 1, 0, 0, 1, 0]]), { documents }).length).toBe(2);
    expect(slotsOf(bytes([[0, 0, 1, 0, 0, 0]]), { documents })).toEqual([]);
    expect(slotsOf(bytes([[0, 0, 1, 1, 0, 0]]), { documents })).toEqual([]);
  });

  it('asks only the first tokens of a span', () => {
    const hidden = bytes([[0, ...new Array<number>(20).fill(1), 0]]);
    expect(slotsOf(hidden).map(([, , , offset]) => offset)).toEqual(Array.from({ length: 15 }, (_, i) => i));
    expect(slotsOf(hidden, {}, 4).length).toBe(4);
  });

  it('is what the definition says, for any mask', () => {
    fc.assert(
      fc.property(
        fc.array(fc.array(fc.tuple(fc.boolean(), fc.nat(9)), { minLength: 12, maxLength: 12 }), { minLength: 1, maxLength: 3 }),
        fc.integer({ min: 1, max: 4 }),
        (rows, targets) => {
          const hidden = bytes(rows.map((row) => row.map(([bit]) => Number(bit))));
          const special = bytes(rows.map((row) => row.map(([bit, kind]) => (!bit && kind === 0 ? 1 : 0))));
          const expected: number[][] = [];
          for (let i = 0; i < hidden.data.length; i++) {
            const row = Math.floor(i / 12);
            const is = (at: number): boolean => Math.floor(at / 12) === row && at >= 0 && hidden.data[at] === 1;
            if (!is(i)) continue;
            let [left, right] = [i, i];
            while (is(left)) left--;
            while (is(right)) right++;
            const text = (at: number): boolean => at >= 0 && Math.floor(at / 12) === row && special.data[at] === 0;
            if (text(left) && text(right) && i - left <= targets) expected.push([i, left, right, i - left - 1]);
          }
          expect(slotsOf(hidden, { special }, targets)).toEqual(expected);
        },
      ),
      { seed: 8, numRuns: 200 },
    );
  });
});

// A stand-in whose outputs are a parameter, so that the gradient that reaches the encoder can be read.
const [V, width, rows, L] = [7, 4, 2, 8];
const table = 'bert.embeddings.word_embeddings.weight';
const still = {
  recipe: { module: 'tests', name: 'still', options: {} },
  weights: 'student',
  vocabulary: V,
  inputs: ({ columns }) => (columns.asked === undefined ? [] : ['asked']),
  parameters: () => ({ [table]: { shape: [V, width], init: zeros() }, hidden: { shape: [rows, L, width], init: zeros() } }),
  draws: () => ({}),
  config: () => ({ model_type: 'bert' }),
  prepare: ({ columns }: AnyBatch) => (columns.labels === undefined ? {} : { ...askedPlan(columns.labels as Column) }),
  build: ({ hidden }) => ({ hidden: hidden as Tensor }) as never,
} satisfies Program & Partial<TextEncoder> as unknown as TextEncoder;

const erf = (x: number): number => {
  // Series of Abramowitz and Stegun 7.1.6, to the last digit for |x| < 6.
  let [term, sum] = [x, x];
  for (let n = 1; n < 200; n++) {
    term *= (2 * x * x) / (2 * n + 1);
    sum += term;
  }
  return (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
};
const gelu = (x: number): number => 0.5 * x * (1 + erf(x / Math.SQRT2));
const dense = (x: readonly number[], weight: ArrayLike<number>, bias: ArrayLike<number>): number[] =>
  Array.from(bias, (b, o) => x.reduce((sum, value, i) => sum + value * (weight[o * x.length + i] as number), b));
function norm(x: readonly number[], weight: ArrayLike<number>, bias: ArrayLike<number>): number[] {
  const mean = x.reduce((sum, value) => sum + value, 0) / x.length;
  const variance = x.reduce((sum, value) => sum + (value - mean) ** 2, 0) / x.length;
  return x.map((value, i) => ((value - mean) / Math.sqrt(variance + 1e-12)) * (weight[i] as number) + (bias[i] as number));
}
/** Logits of the token at `position`, one-based place `place` of the span that ends before `right` and begins behind `left`. */
function reference(of: (name: string) => ArrayLike<number>, left: number, right: number, place: number): number[] {
  const row = (values: ArrayLike<number>, at: number, size: number): number[] => Array.from({ length: size }, (_, i) => values[at * size + i] as number);
  const p = (name: string): ArrayLike<number> => of(`span_boundary.${name}`);
  const joined = [...row(of('hidden'), left, width), ...row(of('hidden'), right, width), ...row(p('position_embeddings.weight'), place - 1, 3)];
  const one = norm(dense(joined, p('linear1.weight'), p('linear1.bias')).map(gelu), p('layer_norm1.weight'), p('layer_norm1.bias'));
  const two = norm(dense(one, p('linear2.weight'), p('linear2.bias')).map(gelu), p('layer_norm2.weight'), p('layer_norm2.bias'));
  return dense(two, of(table), p('bias'));
}

const program = withSpanBoundary(still, { targets: 2, positionWidth: 3 });
const labels = ints([
  [-100, 3, 1, 0, -100, 5, -100, -100],
  [2, -100, -100, 6, -100, -100, -100, 4],
]);
const special = bytes([
  [0, 0, 0, 0, 0, 0, 0, 1],
  [0, 0, 0, 0, 0, 0, 0, 0],
]);
const plain = batchOf({ tokens: ints([new Array(L).fill(0), new Array(L).fill(0)]), labels, special });
/** Asked of the boundary: position, left, right, one-based place. Position 3 is the third of its span, and 8 and 15 have one side. */
const asked = [
  [1, 0, 4, 1],
  [2, 0, 4, 2],
  [5, 4, 6, 1],
  [11, 10, 12, 1],
] as const;
const batch = prepared(program, plain);
const values = ((): Values => {
  const made = formulaValues(program.parameters(signatureOf(batch)));
  return { ...made, hidden: Float32Array.from(made.hidden as Float32Array, (_, i) => Math.sin(0.7 * i) + 0.2 * Math.cos(i * i)) };
})();
function referenceSum(of: (name: string) => ArrayLike<number>): number {
  let sum = 0;
  for (const [position, left, right, place] of asked) {
    const logits = reference(of, left, right, place);
    const most = Math.max(...logits);
    sum += Math.log(logits.reduce((total, x) => total + Math.exp(x - most), 0)) + most - (logits[labels.data[position] as number] as number);
  }
  return sum;
}

describe.each(await presentTfjs())('on %s', { timeout: 60_000 }, (name) => {
  beforeEach(() => useBackend(tfjsName(name)));

  it('logits are those of the reference', async () => {
    const got = await forward(program, batch, 'boundaryLogits', values);
    const slots = [...(batch.columns.asked as Column).data];
    for (const [position, left, right, place] of asked) {
      const slot = slots.indexOf(position);
      const wanted = reference((key) => values[key] as Float32Array, left, right, place);
      expect(largestDifference(got.subarray(slot * V, (slot + 1) * V), wanted)).toBeLessThan(2e-5);
    }
  });

  it('sum, count and every gradient are those of the reference', async () => {
    const { sum, count, gradients } = await lossAndGradients(program, spanBoundary(), batch, values);
    const exact = new Map(Object.entries(values).map(([key, data]) => [key, Float64Array.from(data)]));
    const of = (key: string): Float64Array => exact.get(key) as Float64Array;
    expect(count).toBe(asked.length);
    expect(sum).toBeCloseTo(referenceSum(of), 4);
    const step = 1e-5;
    for (const [key, data] of exact) {
      for (let i = 0; i < data.length; i++) {
        const at = data[i] as number;
        data[i] = at + step;
        const above = referenceSum(of);
        data[i] = at - step;
        const slope = (above - referenceSum(of)) / (2 * step);
        data[i] = at;
        const got = gradients[key]?.[i] as number;
        if (!(Math.abs(got - slope) < 2e-4 * Math.max(1, Math.abs(slope)))) expect.fail(`${key}[${i}]: ${got}, reference ${slope}`);
      }
    }
  });

  it('no span with two sides: sum, count and gradients are 0', async () => {
    const none = prepared(
      program,
      batchOf({ tokens: plain.columns.tokens as Column, labels: ints([[4, ...new Array(7).fill(-100)], new Array(8).fill(-100)]) }),
    );
    const { sum, count, gradients } = await lossAndGradients(program, spanBoundary(), none, values);
    expect([sum, count]).toEqual([0, 0]);
    for (const gradient of Object.values(gradients)) expect(gradient.every((x) => x === 0)).toBe(true);
  });

  it('weighs rows, and leaves out those of weight 0', async () => {
    const weighted = (data: number[]): AnyBatch => withColumns(batch, { weight: { data: Float32Array.from(data), shape: [2] } });
    const [first, second, both] = await Promise.all(
      [
        [1, 0],
        [0, 1],
        [2, 0.5],
      ].map((data) => lossAndGradients(program, spanBoundary(), weighted(data), values)),
    );
    expect([first?.count, second?.count, both?.count]).toEqual([3, 1, 6.5]);
    expect(both?.sum).toBeCloseTo(2 * (first?.sum as number) + 0.5 * (second?.sum as number), 4);
  });
});

const small = { vocabulary: 11, width: 8, depth: 1, heads: 2, positions: 16, initializerRange: 0.3 } as const;
const tokens = ints([
  [1, 2, 3, 4, 5, 6],
  [7, 8, 9, 10, 1, 2],
]);
const real = batchOf({
  tokens,
  labels: ints([
    [-100, 2, 3, -100, 5, -100],
    [-100, -100, 9, -100, -100, 2],
  ]),
});

/** What two `loss` stages make; there the type of the first one keeps the model's outputs. */
const bothLosses = (of: ReturnType<typeof withSpanBoundary>): Program<'loss'> =>
  withLoss(withLoss(of, maskedLanguage()) as Program as Program<'boundaryLogits'>, spanBoundary());

describe.each(['bert', 'modern'] as const)('around a %s encoder', (architecture) => {
  const encoder = textEncoder({ ...small, architecture });
  const wrapped = withSpanBoundary(encoder, { targets: 3, positionWidth: 4 });
  beforeEach(() => useBackend('cpu'));

  it('changes none of its parameters, outputs or configuration', async () => {
    const [own, all] = [encoder.parameters(signatureOf(real)), wrapped.parameters(signatureOf(real))];
    expect(Object.fromEntries(Object.entries(all).filter(([name]) => !name.startsWith('span_boundary.')))).toEqual(own);
    expect(Object.keys(all).filter((name) => !(name in own))).toHaveLength(10);
    expect(wrapped.config(signatureOf(real))).toEqual(encoder.config(signatureOf(real)));
    const some = firstValues(all);
    for (const output of ['logits', 'askedLogits', 'hidden', 'features'] as const) {
      expect(await forward(wrapped, prepared(wrapped, real), output, some)).toEqual(await forward(encoder, prepared(encoder, real), output, some));
    }
    expect(Object.keys(encoder.prepare(real)).filter((name) => name.startsWith('boundary'))).toEqual([]);
    // A folder of the wrapped model opens as one of the encoder, and the head goes on from it too.
    const weights = new Map(Object.entries(all).map(([name, { shape }]): [string, Column] => [name, { data: some[name] as Float32Array, shape }]));
    const stored = { config: encoder.config(signatureOf(real)), weights, fingerprint: 'x' };
    const again = withSpanBoundary(textEncoder({ from: stored }), { targets: 3, positionWidth: 4, from: stored });
    expect(firstValues(again.parameters(signatureOf(real)), 5)).toEqual(some);
  });

  it('its loss beside the other one is the sum of both means', async () => {
    const batch = withColumns(real, wrapped.prepare(real));
    const executor = await createExecutor({ backend: 'cpu', seed: 3 });
    const lossOf = async (learning: Program<'loss'>): Promise<readonly [number, number]> => {
      const gradients = await executor.gradients(learning, batch);
      const { sum, count } = gradients;
      gradients.dispose();
      return [sum, count];
    };
    try {
      const [mlm, asked] = await lossOf(withLoss(wrapped, maskedLanguage()));
      const [sbo, bounded] = await lossOf(withLoss(wrapped, spanBoundary()));
      const [sum, count] = await lossOf(bothLosses(wrapped));
      expect([asked, bounded, count]).toEqual([5, 4, 5]);
      expect(sum / count).toBeCloseTo(mlm / asked + sbo / bounded, 4);
    } finally {
      executor.dispose();
    }
  });
});

describe.each(await presentBackends({ software: false }))('a step on %s', { timeout: 60_000 }, (backend) => {
  it('changes every weight as on cpu, and leaves no tensor behind', async () => {
    const wrapped = withSpanBoundary(textEncoder(small));
    const learning = bothLosses(wrapped);
    const batch = withColumns(real, wrapped.prepare(real));
    const trainedOn = async (engine: typeof backend): Promise<{ weights: ReadonlyMap<string, Column>; loss: number }> => {
      const executor = await createExecutor({ backend: engine, seed: 3 });
      try {
        let last = 0;
        let tensors = -1;
        for (let step = 1; step <= 3; step++) {
          const { sum, count } = await executor.step(learning, batch, sgd(), { learningRate: 0.1, step }, {});
          last = sum / count;
          if (step > 1) expect([tensors, executor.tensors()]).toEqual([executor.tensors(), executor.tensors()]);
          tensors = executor.tensors();
        }
        return { weights: await executor.weights.snapshot('student'), loss: last };
      } finally {
        executor.dispose();
      }
    };
    const [here, there] = [await trainedOn(backend), await trainedOn('cpu')];
    expect(here.loss).toBeCloseTo(there.loss, 4);
    const names = [...there.weights.keys()];
    expect(names.filter((name) => name.startsWith('span_boundary.'))).toHaveLength(10);
    for (const name of names) {
      const [a, b] = [here.weights.get(name)?.data, there.weights.get(name)?.data];
      expect(largestDifference(a as Float32Array, b as Float32Array), name).toBeLessThan(1e-4);
    }
  });
});

describe('withSpanBoundary', () => {
  it('says what does not fit', async () => {
    const encoder = textEncoder(small);
    expect(() => withSpanBoundary(encoder, { target: 3 } as never)).toThrow('withSpanBoundary.target: there is no such option. Did you mean targets?');
    expect(() => withSpanBoundary(encoder, { targets: 0 })).toThrow('withSpanBoundary.targets: must be an integer of at least 1; got 0');
    expect(() => withSpanBoundary(encoder, { normEps: 0 })).toThrow('withSpanBoundary.normEps: must be a positive number; got 0');
    expect(() => withSpanBoundary(undefined as never)).toThrow('withSpanBoundary.encoder: must be a text encoder');
    expect(() => withSpanBoundary({ ...encoder, parameters: () => ({}) })).toThrow('must be a text encoder, with a table of words');
    await useBackend('cpu');
    const bare = prepared(withSpanBoundary(encoder), batchOf({ tokens }));
    const all = withSpanBoundary(encoder);
    await expect(forward(all, bare, 'boundaryLogits', firstValues(all.parameters(signatureOf(bare))))).rejects.toThrow(
      'withSpanBoundary.labels: boundaryLogits need a batch with labels. Put corrupt(…) in front of model(…).',
    );
    const columns = { labels: { shape: [2, 6], dtype: 'int32' } } as const;
    expect(() => spanBoundary().inputs({ rows: 2, columns })).toThrow(
      'spanBoundary.boundaryOffsets: the batch has no such column. Write model(withSpanBoundary(',
    );
    expect(() => spanBoundary({ label: 'x' } as never)).toThrow('Did you mean labels?');
  });

  it('takes spans from the mask where there is one: what a loss leaves out is still hidden', () => {
    const mask = bytes([
      [0, 1, 1, 1, 0, 0],
      [0, 0, 1, 0, 0, 1],
    ]);
    const { boundarySides, boundaryOffsets, asked: slots } = withSpanBoundary(textEncoder(small)).prepare(withColumns(real, { mask }));
    const seen = (slots as Column).data.indexOf(2);
    expect([boundarySides?.data[seen], boundarySides?.data[(slots as Column).data.length + seen], boundaryOffsets?.data[seen]]).toEqual([0, 4, 1]);
  });
});
