// Several documents a row: nothing is lost, split or mixed up, rows do not depend on what is read ahead, and a run that goes on
// behind any step packs the very same rows.
import fc from 'fast-check';
import { lastValueFrom, take, toArray } from 'rxjs';
import { describe, expect, expectTypeOf, it } from 'vitest';
import type { Carried, Column } from '../../../src/core/batch.js';
import { Cursor } from '../../../src/core/cursor.js';
import { drain } from '../../../src/core/demand/index.js';
import { loadCpu } from '../../../src/backends/cpu.js';
import { signatureOf } from '../../../src/core/program.js';
import { textEncoder } from '../../../src/models/textEncoder.js';
import { epochs } from '../../../src/operators/epochs.js';
import { shuffle } from '../../../src/operators/shuffle.js';
import { type PackOptions, pack } from '../../../src/operators/text/index.js';
import { memory } from '../../../src/sources/memory.js';
import { firstValues, forward, largestDifference, prepared } from '../../models/harness.js';
import { failure } from '../../sources/arrowFiles.js';
import { letters, rowsOf } from './letters.js';

const words = letters();
const text = fc.array(fc.string({ unit: fc.constantFrom(...'abcde'), minLength: 1, maxLength: 5 }), { maxLength: 4 }).map((list) => list.join(' '));
type Made = Awaited<ReturnType<typeof made>>[number];
const made = (texts: readonly string[], options: PackOptions) => lastValueFrom(memory(texts.map((text) => ({ text }))).pipe(pack(words, options), toArray()));
/** What a batch is made of, to compare. */
const shown = ({ columns, origins }: Pick<Made, 'columns' | 'origins'>): unknown => [
  origins.map(({ id, epoch }) => [id, epoch]),
  rowsOf(columns.tokens),
  rowsOf(columns.documents),
  (columns.text as { values: unknown }).values,
];

describe('pack', () => {
  it('fills rows with documents and says which token is whose', async () => {
    const [batch] = await made(['ab', 'cdefg', 'h', 'i j'], { rows: 2, length: 8 });
    expectTypeOf(batch!.columns.documents).toEqualTypeOf<Column<Int32Array>>();
    expectTypeOf(batch!.columns.text).toEqualTypeOf<Carried>();
    expect(batch!.grid).toEqual([8]);
    expect(rowsOf(batch!.columns.tokens)).toEqual([
      [2, 5, 6, 3, 2, 12, 3, 0],
      [2, 7, 8, 9, 10, 11, 3, 0],
    ]);
    expect(rowsOf(batch!.columns.documents)).toEqual([
      [0, 0, 0, 0, 1, 1, 1, -1],
      [0, 0, 0, 0, 0, 0, 0, -1],
    ]);
    expect(rowsOf(batch!.columns.words)).toEqual([
      [-1, 0, 0, -1, -1, 1, -1, -1],
      [-1, 0, 0, 0, 0, 0, -1, -1],
    ]);
    expect([...batch!.columns.length.data]).toEqual([7, 7]);
    expect(batch!.columns.text).toEqual({ rows: 2, values: [['ab', 'h'], ['cdefg']] });
    expect(batch!.origins.map(({ id }) => id)).toEqual([0, 1]);
  });

  it('counts the places of tokens in their documents where it is asked to', async () => {
    const chain = memory(['ab', 'cdefg', 'h'].map((text) => ({ text }))).pipe(pack(words, { rows: 2, length: 8, positions: true, last: 'pad' }), toArray());
    const [batch] = await lastValueFrom(chain);
    expectTypeOf(batch!.columns.positions).toEqualTypeOf<Column<Int32Array>>();
    expectTypeOf(batch!.columns.weight).toEqualTypeOf<Column<Float32Array>>();
    expect(rowsOf(batch!.columns.positions)).toEqual([
      [0, 1, 2, 3, 0, 1, 2, 0],
      [0, 1, 2, 3, 4, 5, 6, 0],
    ]);
    const [plain] = await made(['ab'], { rows: 2, length: 8 });
    expect('positions' in plain!.columns).toBe(false);
    // @ts-expect-error: not asked for
    void plain!.columns.positions;
    expect(() => pack(words, { rows: 1, length: 8, positions: 1 as never })).toThrow('pack.positions: must be true or false; got 1');
    const taken = memory([{ text: 'a', positions: 3 }]).pipe(pack(words, { rows: 1, length: 8, positions: true }));
    expect((await failure(taken)).message).toContain('pack.positions: there is a column "positions" already');
  });

  it.each(['bert', 'modern'] as const)('does not change a document’s logits in a %s encoder', { timeout: 30_000 }, async (architecture) => {
    await loadCpu();

    const program = textEncoder({ architecture, vocabulary: words.vocabulary, width: 8, depth: 2, heads: 2, positions: 32, initializerRange: 0.3 });
    const weights = firstValues(program.parameters({ rows: 1, columns: {} }));
    const logitsOf = async (texts: readonly string[], rows: number, length: number) => {
      const chain = memory(texts.map((text) => ({ text }))).pipe(pack(words, { rows, length, positions: true }), toArray());
      const [batch] = await lastValueFrom(chain);
      const { tokens, documents, positions } = batch!.columns;
      // The encoder reads the column: places other than these give other logits.
      expect(program.inputs(signatureOf(prepared(program, batch as never)))).toContain('positions');
      return { logits: await forward(program, prepared(program, batch as never), 'logits', weights), tokens, documents, positions };
    };
    const texts = ['ab', 'cdefg', 'h', 'ba cab', 'fade'];
    const packed = await logitsOf(texts, 2, 20);
    expect(packed.tokens.shape).toEqual([2, 20]);
    const alone = await Promise.all(texts.map(async (text) => [text, await logitsOf([text], 1, 20)] as const));
    let compared = 0;
    for (const [text, { logits, tokens, documents }] of alone) {
      const length = documents.data.indexOf(-1);
      const own = [...tokens.data.subarray(0, length)].join();
      for (let at = 0; at + length <= packed.tokens.data.length; at++) {
        if (packed.positions.data[at] !== 0 || [...packed.tokens.data.subarray(at, at + length)].join() !== own) continue;
        compared++;
        const V = words.vocabulary;
        expect(largestDifference(packed.logits.subarray(at * V, (at + length) * V), logits.subarray(0, length * V)), text).toBeLessThan(1e-5);
      }
    }
    expect(compared).toBe(texts.length);
  });

  it('loses, splits and mixes up nothing', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 1, maxLength: 40 }),
        fc.integer({ min: 1, max: 5 }),
        fc.integer({ min: 4, max: 24 }),
        async (texts, rows, length) => {
          const found: string[] = [];
          const batches = await made(texts, { rows, length });
          for (const { columns, rows: count, origins } of batches) {
            expect(columns.tokens.shape).toEqual([count, length]);
            const [tokens, documents, special] = [rowsOf(columns.tokens), rowsOf(columns.documents), rowsOf(columns.special)];
            for (let row = 0; row < count; row++) {
              const lists = (columns.text as unknown as { values: string[][] }).values[row] as string[];
              lists.forEach((text, document) => {
                const own = (tokens[row] as number[]).filter((_, i) => documents[row]![i] === document);
                expect(words.decode(own)).toBe(text.replaceAll(' ', '').slice(0, length - 2));
                expect([own[0], own.at(-1)]).toEqual([2, 3]);
              });
              // Documents stand one after the other, padding behind them.
              const order = documents[row]!.map((document) => (document < 0 ? lists.length : document));
              expect(order).toEqual([...order].sort((a, b) => a - b));
              expect(columns.length.data[row]).toBe(documents[row]!.filter((document) => document >= 0).length);
              expect(special[row]!.every((value, i) => value === ((tokens[row]![i] as number) < 5 ? 1 : 0))).toBe(true);
              found.push(...lists);
            }
            expect(new Set(origins.map(({ id }) => id)).size).toBe(count);
          }
          expect(found.sort()).toEqual([...texts].sort());
        },
      ),
      { seed: 2, numRuns: 80 },
    );
  });

  it('goes on behind any step with the same rows, shuffled, over epochs, whatever was read ahead', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(text, { minLength: 8, maxLength: 40 }),
        fc.integer({ min: 1, max: 3 }),
        fc.nat(6),
        fc.constantFrom(1, 3, 64),
        fc.constantFrom('keep', 'drop', 'pad'),
        fc.boolean(),
        async (texts, rows, steps, concurrency, last, crossEpochs) => {
          const chain = (options: object) =>
            memory(texts.map((text) => ({ text }))).pipe(epochs(2), shuffle(), pack(words, { rows, length: 16, last, crossEpochs, ...options }));
          const whole: unknown[] = [];
          await drain(chain({}), { seed: 3 }, (batch) => whole.push(shown(batch)));
          const cursor = new Cursor();
          const before: unknown[] = [];
          if (steps > 0) {
            await drain(chain({ concurrency }).pipe(take(steps)), { seed: 3, cursor }, (batch) => {
              before.push(shown(batch));
              cursor.settle(batch.origins);
            });
          }
          const after: unknown[] = [];
          const resumed = new Cursor(JSON.parse(JSON.stringify(cursor)) as never);
          await drain(chain({ concurrency }), { seed: 3, cursor: resumed }, (batch) => {
            after.push(shown(batch));
            resumed.settle(batch.origins);
          });
          expect([...before, ...after]).toEqual(whole);
          // All is settled in the end, but what was dropped behind the last batch.
          if (last !== 'drop') expect(resumed.toJSON().sources).toEqual([{ next: 2 * texts.length, open: [] }]);
        },
      ),
      { seed: 6, numRuns: 60 },
    );
  });

  it('ends a batch with its epoch, or not; keeps, drops or pads the short one', async () => {
    const count = async (options: Partial<PackOptions>): Promise<unknown[]> => {
      const chain = memory([{ text: 'abcd' }, { text: 'efgh' }, { text: 'ijkl' }]).pipe(
        epochs(2),
        pack(words, { rows: 2, length: 6, ...options } as PackOptions),
        toArray(),
      );
      return (await lastValueFrom(chain)).map(({ rows, columns }) => ('weight' in columns ? [...(columns.weight as Column).data] : rows));
    };
    expect(await count({})).toEqual([2, 1, 2, 1]);
    expect(await count({ crossEpochs: true })).toEqual([2, 2, 2]);
    expect(await count({ last: 'drop' })).toEqual([2, 2]);
    expect(await count({ last: 'pad' })).toEqual([
      [1, 1],
      [1, 0],
      [1, 1],
      [1, 0],
    ]);
  });

  it('tokenizes many documents at once', async () => {
    const asked: number[] = [];
    const samples = memory(Array.from({ length: 300 }, () => ({ text: 'ab' })));
    await lastValueFrom(samples.pipe(pack(letters({ asked }), { rows: 4, length: 16, concurrency: 32 }), toArray()));
    expect(asked.reduce((sum, n) => sum + n)).toBe(300);
    expect(Math.max(...asked)).toBeGreaterThanOrEqual(16);
    expect(Math.max(...asked)).toBeLessThanOrEqual(32);
  });

  it('takes pairs and lists of words', async () => {
    const samples = memory([
      { en: ['ab', 'c'], de: ['x'] },
      { en: ['d'], de: ['y', 'z'] },
    ]);
    const { columns } = await lastValueFrom(samples.pipe(pack(words, { rows: 1, length: 20, column: 'en', pair: 'de' })));
    expect(rowsOf(columns.segments)[0]!.slice(0, 13)).toEqual([0, 0, 0, 0, 0, 1, 1, 0, 0, 0, 1, 1, 1]);
    expect(rowsOf(columns.words)[0]!.slice(0, 13)).toEqual([-1, 0, 0, 1, -1, 2, -1, -1, 3, -1, 4, 5, -1]);
  });

  it('says which sample is wrong', async () => {
    const samples = memory([{ text: 'a' }, { text: 3 as unknown as string }]);
    expect((await failure(samples.pipe(pack(words, { rows: 1, length: 8 })))).message).toContain(
      'pack.column: column "text" must hold text, or lists of words; got 3 (sample 1)',
    );
    expect((await failure(memory([{ text: 'abcdefgh' }]).pipe(pack(words, { rows: 1, length: 8, truncate: false })))).message).toContain(
      'pack.truncate: a row holds 8 tokens, and this one would need 10',
    );
    expect((await failure(memory([{ text: 'a', length: 1 }]).pipe(pack(words, { rows: 1, length: 8 })))).message).toContain(
      'pack.length: there is a column "length" already',
    );
    expect(() => pack(words, { length: 8 } as never)).toThrow('pack.rows: must be an integer of at least 1; got undefined');
  });
});
