import { lastValueFrom } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createExecutor } from '../../../src/backends/index.js';
import type { AnyBatch, Column } from '../../../src/core/batch.js';
import type { Executor, Program } from '../../../src/core/program.js';
import { recipe } from '../../../src/core/recipe.js';
import { textEncoder } from '../../../src/models/textEncoder.js';
import { canvas, confidence, firstHitting, networkOf, unmask, type NetworkRequest, type UnmaskState } from '../../../src/operators/index.js';
import { contextual } from './networks.js';

const V = 5;
const request: NetworkRequest = {
  rows: 3,
  width: 3,
  ids: Int32Array.of(1, V, 2, V, V, 0, 4, 3, V),
  masked: Uint8Array.of(0, 1, 0, 1, 1, 0, 0, 0, 1),
  prompt: Uint8Array.of(1, 0, 1, 0, 0, 0, 1, 1, 0),
  lengths: Int32Array.of(3, 2, 3),
  time: Float64Array.of(0.3, 1, 0.5),
  positions: Int32Array.of(1, 3, 4, 8),
  pass: 'full',
  given: [],
};

/** An executor that answers as `contextual` would, and keeps the batches that it got. */
function fake(batches: AnyBatch[], output: 'logits' | 'askedLogits'): Executor {
  return {
    async evaluate(_: unknown, batch: AnyBatch, outputs: readonly string[]) {
      batches.push(batch);
      expect(outputs).toEqual([output]);
      const { tokens, length, labels } = batch.columns as Record<'tokens' | 'length' | 'labels', Column<Int32Array>>;
      const [rows, width] = tokens.shape as [number, number];
      const wanted = [...labels.data.keys()].filter((i) => output === 'logits' || (labels.data[i] as number) >= 0);
      const logits = contextual(V)({
        ...request,
        rows,
        width,
        ids: tokens.data,
        lengths: length.data,
        positions: Int32Array.from(wanted),
      }) as Float32Array;
      return { [output]: { data: logits, shape: output === 'logits' ? [rows, width, V] : [wanted.length, V] } };
    },
  } as unknown as Executor;
}
const program = (more: object = {}): Program<'logits'> => ({ recipe: recipe('tests', 'fake'), build: () => ({}), ...more }) as unknown as Program<'logits'>;
const asking = program({ prepare: () => ({ asked: { data: new Int32Array(0), shape: [0] } }) });

describe('networkOf', () => {
  it.each([
    ['everywhere', program(), 'logits'],
    ['where it is asked', asking, 'askedLogits'],
  ] as const)('asks a model that answers %s, in batches of one shape', async (_, model, output) => {
    const plain = contextual(V)(request);
    for (const options of [{}, { rows: 2 }, { rows: 8, multiple: 4 }, { multiple: 2 }]) {
      const batches: AnyBatch[] = [];
      expect(await networkOf(fake(batches, output), model, options)(request)).toEqual(plain);
      const width = Math.ceil(3 / (options.multiple ?? 1)) * (options.multiple ?? 1);
      for (const batch of batches) expect(batch.columns.tokens).toMatchObject({ shape: [options.rows ?? 3, width] });
      expect(batches.length).toBe(options.rows === 2 ? 2 : 1);
    }
  });

  it('gives ids, mask, length, padding and time, and columns of the user', async () => {
    const batches: AnyBatch[] = [];
    const columns = (rows: number) => ({ segments: { data: new Int32Array(rows), shape: [rows] } });
    await networkOf(fake(batches, 'logits'), program(), { multiple: 4, columns })(request);
    const data = Object.fromEntries(Object.entries(batches[0]?.columns ?? {}).map(([name, column]) => [name, [...(column as Column).data]]));
    expect(data).toMatchObject({
      segments: [0, 0, 0],
      inputs: [1, V, 2, 0, V, V, 0, 0, 4, 3, V, 0],
      mask: [0, 1, 0, 0, 1, 1, 0, 0, 0, 0, 1, 0],
      labels: [-100, 0, -100, -100, 0, 0, -100, -100, -100, -100, 0, -100],
      special: [0, 0, 0, 1, 0, 0, 1, 1, 0, 0, 0, 1],
      length: [3, 2, 3],
      time: [Math.fround(0.3), 1, 0.5],
    });
  });

  it('says what is wrong', async () => {
    const executor = { evaluate: async () => ({ logits: { data: new Float32Array(4), shape: [2, 2] } }) } as unknown as Executor;
    await expect(networkOf(executor, program())(request)).rejects.toThrow('unmask.model: the output logits must be [3, 3, V]; got [2,2].');
    expect(() => networkOf(executor, {} as never)).toThrow('networkOf.program: must be a program; got {}.');
    expect(() => networkOf(executor, program(), { rows: 0 })).toThrow('networkOf.rows: must be an integer of at least 1; got 0');
  });
});

describe('a text encoder on an executor', () => {
  let executor: Executor;
  beforeAll(async () => {
    executor = await createExecutor({ backend: 'cpu', seed: 3 });
  });

  afterAll(() => executor.dispose());

  it('unmasks rows of different lengths, each as it would alone, prompts kept', async () => {
    const model = textEncoder({ vocabulary: 7, width: 8, depth: 1, heads: 2, positions: 16, architecture: 'modern', initializerRange: 0.5 });
    const network = networkOf(executor, model, { rows: 2, multiple: 4 });
    const run = (rows: readonly (readonly number[])[], ids: readonly number[]): Promise<UnmaskState> =>
      lastValueFrom(unmask(network, firstHitting(), { start: canvas(rows, { maskId: 6, generate: 3, ids }), maskId: 6, vocabulary: 7 }));
    const before = executor.tensors();
    const both = await run([[1, 2, 3], [5]], [0, 1]);
    expect(both.rows.map(({ ids }) => ids.length)).toEqual([6, 4]);
    expect([...(both.rows[0]?.ids.subarray(0, 3) ?? [])]).toEqual([1, 2, 3]);
    expect(both.rows.every(({ ids }) => ids.every((id) => id < 6))).toBe(true);
    expect((await run([[5]], [1])).rows[0]?.ids).toEqual(both.rows[1]?.ids);
    const settled = executor.tensors();
    await lastValueFrom(unmask(network, confidence(), { start: canvas([[1]], { maskId: 6, generate: 4 }), maskId: 6, vocabulary: 7 }));
    expect(executor.tensors()).toBe(settled);
    expect(before).toBeLessThanOrEqual(settled);
  });
});
