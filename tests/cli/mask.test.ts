import { execFileSync, spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { PassThrough, Readable } from 'node:stream';
import {
  Dictionary,
  Field,
  FixedSizeList,
  Float32,
  Float64,
  Int32,
  Int64,
  List,
  RecordBatch,
  RecordBatchStreamWriter,
  Schema,
  Struct,
  Table,
  Utf8,
  makeData,
  tableFromIPC,
  vectorFromArray,
} from 'apache-arrow';
import fc from 'fast-check';
import { map } from 'rxjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { fromRecordBatch, toRecordBatch } from '../../src/core/arrow/index.js';
import { type Batch, type Column, isColumn } from '../../src/core/batch.js';
import { drain } from '../../src/core/demand/index.js';
import { batch } from '../../src/operators/batch.js';
import { mask } from '../../src/operators/mask.js';
import { block, colorNoise, random } from '../../src/operators/masks/index.js';
import { memory } from '../../src/sources/memory.js';
import { arrow } from '../../src/sources/arrow.js';
import { arrowFile } from '../../src/sinks/arrowFile.js';
import { ipc, openHandles, temporaryFolder, write } from '../sources/arrowFiles.js';
import { brokenPipe, command, refusal } from './commands.js';

const folder = temporaryFolder();

/** A table of `rows` numbered rows, as an IPC stream with `cut` rows a record batch. */
const numbered = (rows: number, cut = Number.POSITIVE_INFINITY): Uint8Array =>
  ipc(
    {
      id: vectorFromArray(
        Array.from({ length: rows }, (_, i) => i),
        new Int32(),
      ),
    },
    'stream',
    cut,
  );

const lists = (values: readonly number[][]) => vectorFromArray(values, new List(new Field('item', new Float32(), true)));

/** The bytes of `mask`, one array a row. */
function masksOf(bytes: Uint8Array): number[][] {
  const column = tableFromIPC(bytes).getChild('mask');
  return Array.from({ length: column?.length ?? 0 }, (_, row) => Array.from(column?.get(row) as Iterable<number>));
}

const sum = (values: Iterable<number>): number => [...values].reduce((total, value) => total + value, 0);

/** The masks that the operator draws in a chain, for rows 0 … rows − 1. */
async function inChain(rows: number, grid: readonly number[], rule: Parameters<typeof mask>[0], seed: number): Promise<number[][]> {
  const cells = grid.reduce((product, side) => product * side, 1);
  const samples = Array.from({ length: rows }, () => ({ tokens: { data: new Float32Array(cells), shape: [cells, 1] } }));
  const result: number[][] = [];
  await drain(
    memory(samples).pipe(
      batch(7),
      map((made) => ({ ...made, grid })),
      mask(rule),
    ),
    { seed },
    ({ columns }) => {
      for (let row = 0; row < columns.mask.shape[0]!; row++) result.push([...columns.mask.data.subarray(row * cells, (row + 1) * cells)]);
    },
  );
  return result;
}

describe('maskflow mask on a grid', () => {
  it('hides exactly 147 of 196 tokens of each row with colorNoise, and nothing else is written to standard output', async () => {
    const { stdout, stderr } = await command(['mask', 'colorNoise', '--grid', '14x14'], { stdin: numbered(40) });
    expect(masksOf(stdout).map(sum)).toEqual(Array(40).fill(147));
    expect(tableFromIPC(stdout).getChild('id')?.toArray()).toEqual(Int32Array.from({ length: 40 }, (_, i) => i));
    expect(stderr).toBe('40 rows, 5,880 of 7,840 tokens hidden (0.7500) by colorNoise\n');
  });

  it('is a function of the seed: the same one gives the same bytes, another one other masks', async () => {
    const run = async (seed: string): Promise<Uint8Array> =>
      (await command(['mask', 'colorNoise', '--grid', '14x14', '--seed', seed], { stdin: numbered(20) })).stdout;
    const [first, again, other] = [await run('7'), await run('7'), await run('8')];
    expect(again).toEqual(first);
    const [a, b] = [masksOf(first), masksOf(other)];
    for (const [row, bytes] of a.entries()) expect(bytes).not.toEqual(b[row]);
  });

  it.each([
    ['random', random({ ratio: 0.6 }), [49]],
    ['block', block({ ratio: 0.6 }), [14, 14]],
    ['colorNoise', colorNoise({ ratio: 0.6 }), [4, 7, 7]],
  ] as const)('draws with %s what the operator draws in a chain for the same ids', async (kind, rule, grid) => {
    const { stdout } = await command(['mask', kind, '--set', 'ratio=0.6', '--grid', grid.join('x'), '--seed', '3'], { stdin: numbered(20, 6) });
    expect(masksOf(stdout)).toEqual(await inChain(20, grid, rule, 3));
  });

  it('does not depend on how the rows are cut into record batches', async () => {
    const whole = masksOf((await command(['mask', 'random', '--grid', '5x5'], { stdin: numbered(23) })).stdout);
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 23 }), async (cut) => {
        const { stdout } = await command(['mask', 'random', '--grid', '5x5'], { stdin: numbered(23, cut) });
        expect(tableFromIPC(stdout).batches.map(({ numRows }) => numRows)).toEqual(tableFromIPC(numbered(23, cut)).batches.map(({ numRows }) => numRows));
        expect(masksOf(stdout)).toEqual(whole);
      }),
      { numRuns: 10, seed: 1 },
    );
  });

  it('writes a fixed-shape tensor that comes back as a tensor column, and the grid', async () => {
    const { stdout } = await command(['mask', 'random', '--grid', '4x7x7'], { stdin: numbered(3) });
    const table = tableFromIPC(stdout);
    const field = table.schema.fields.at(-1)!;
    expect(field.name).toBe('mask');
    expect(field.metadata.get('ARROW:extension:name')).toBe('arrow.fixed_shape_tensor');
    expect(JSON.parse(field.metadata.get('ARROW:extension:metadata')!)).toEqual({ shape: [4, 7, 7] });
    const { columns, grid } = fromRecordBatch(table.batches[0]!);
    expect(grid).toEqual([4, 7, 7]);
    expect(isColumn(columns.mask) && columns.mask.data instanceof Uint8Array && columns.mask.shape).toEqual([3, 4, 7, 7]);
  });

  it('keeps the ids that a chain has written in the column origin', async () => {
    const origins = [5, 1, 3].map((id) => ({ source: 0, id, epoch: 0, position: id }));
    const rows = { rows: 3, columns: { x: { data: new Float32Array(3), shape: [3] } }, origins, program: undefined } satisfies Batch<{ x: Column }>;
    const writer = new RecordBatchStreamWriter();
    writer.write(toRecordBatch(rows, { origins: true }));
    writer.finish();
    const { stdout } = await command(['mask', 'random', '--grid', '20'], { stdin: writer.toUint8Array(true) });
    const chain = await inChain(6, [20], random(), 0);
    expect(masksOf(stdout)).toEqual([chain[5], chain[1], chain[3]]);
    expect(tableFromIPC(stdout).schema.fields.map(({ name }) => name)).toEqual(['x', 'origin', 'mask']);
  });

  it('takes grid and valid lengths from data that a chain has written, as the operator does', async () => {
    const columns = { tokens: { data: new Float32Array(2 * 9 * 2), shape: [2, 9, 2] }, length: { data: Int32Array.of(9, 4), shape: [2] } };
    const made = toRecordBatch({ rows: 2, columns, grid: [3, 3], origins: [], program: undefined });
    const writer = new RecordBatchStreamWriter();
    writer.write(made);
    writer.finish();
    const { stdout } = await command(['mask', 'random', '--set', 'ratio=1'], { stdin: writer.toUint8Array(true) });
    expect(masksOf(stdout)).toEqual([Array(9).fill(1), [1, 1, 1, 1, 0, 0, 0, 0, 0]]);
    expect(await refusal(['mask', 'random', '--grid', '4x4'], { stdin: writer.toUint8Array(true) })).toEqual({
      usage: true,
      message: 'maskflow.grid: must have 9 cells, as many as the column tokens has tokens in a row; got [4,4].',
    });
  });

  it('sees padding behind --length on a --grid, and scores on the grid', async () => {
    const stdin = ipc(
      {
        n: vectorFromArray([2n, 6n], new Int64()),
        s: lists([
          [1, 2],
          [6, 5, 4, 3, 2, 1],
        ]),
      },
      'stream',
    );
    const { stdout } = await command(['mask', 'random', '--set', 'ratio=1', '--grid', '2x3', '--length', 'n', '--score', 's'], { stdin });
    expect(masksOf(stdout)).toEqual([[1, 1, 0, 0, 0, 0], Array(6).fill(1)]);
  });
});

describe('maskflow mask on rows of their own lengths', () => {
  const lengths = [5, 0, 17, 1, 40];

  it('writes a list as long as the row from --length, the same however the rows are cut', async () => {
    const run = async (kind: string, cut: number): Promise<Uint8Array> => {
      const stdin = ipc({ n: vectorFromArray(lengths, new Int32()) }, 'stream', cut);
      return (await command(['mask', kind, '--set', 'ratio=0.5', '--length', 'n'], { stdin })).stdout;
    };
    for (const kind of ['random', 'block', 'colorNoise']) {
      const whole = await run(kind, 5);
      const type = tableFromIPC(whole).schema.fields.at(-1)!.type;
      expect(String(type)).toBe('List<Uint8>');
      expect(masksOf(whole).map((bytes) => bytes.length)).toEqual(lengths);
      expect(masksOf(whole).map(sum)).toEqual(lengths.map((n) => n - Math.floor(n * 0.5)));
      for (const cut of [1, 2, 3]) expect(masksOf(await run(kind, cut))).toEqual(masksOf(whole));
    }
  });

  it('equals the operator on padded batches', async () => {
    const stdin = ipc({ n: vectorFromArray(lengths, new Int32()) }, 'stream');
    const got = masksOf((await command(['mask', 'random', '--length', 'n'], { stdin })).stdout);
    const samples = lengths.map((n) => ({ tokens: { data: new Float32Array(40), shape: [40, 1] }, length: { data: Int32Array.of(n), shape: [] } }));
    let padded = new Uint8Array(0);
    await drain(memory(samples).pipe(batch(5), mask(random())), { seed: 0 }, ({ columns }) => {
      padded = columns.mask.data.slice();
    });
    expect(lengths.map((n, row) => [...padded.subarray(row * 40, row * 40 + n)])).toEqual(got);
  });

  it('takes lengths and scores from lists of --score, and gives the scores to the mask', async () => {
    const file = write(folder, 'highest.mjs', new TextEncoder().encode(highest));
    const stdin = ipc({ s: vectorFromArray([[0.5, 3, 1], [], [7, 8]], new List(new Field('item', new Float64(), true))) }, 'stream');
    const { stdout } = await command(['mask', file, '--score', 's'], { stdin });
    expect(masksOf(stdout)).toEqual([[0, 1, 0], [], [0, 1]]);
  });

  it('takes the layout from a fixed-size list of scores, as a tensor', async () => {
    const file = write(folder, 'highest2.mjs', new TextEncoder().encode(highest));
    const type = new FixedSizeList(3, new Field('item', new Float32(), false));
    const { stdout } = await command(['mask', file, '--score', 's'], {
      stdin: ipc(
        {
          s: vectorFromArray(
            [
              [1, 2, 3],
              [9, 2, 3],
            ],
            type,
          ),
        },
        'stream',
      ),
    });
    expect(masksOf(stdout)).toEqual([
      [0, 0, 1],
      [1, 0, 0],
    ]);
    expect(String(tableFromIPC(stdout).schema.fields.at(-1)!.type)).toBe('FixedSizeList[3]<Uint8>');
  });

  it('names the row whose length or scores cannot be used', async () => {
    const bad = ipc({ n: vectorFromArray([3, -1], new Int32()) }, 'stream');
    expect((await refusal(['mask', 'random', '--length', 'n'], { stdin: bad })).message).toContain(
      'the column n must hold a whole number from 0; got -1 (row 1)',
    );
    expect((await refusal(['mask', 'random', '--grid', '2', '--length', 'n'], { stdin: bad })).message).toContain(
      'from 0 to 2, the cells of the grid; got 3 (row 0)',
    );
    const nulls = ipc({ n: vectorFromArray([3, null], new Int32()) }, 'stream');
    expect((await refusal(['mask', 'random', '--length', 'n'], { stdin: nulls })).message).toContain('got null (row 1)');
    const text = ipc({ s: vectorFromArray(['a'], new Utf8()) }, 'stream');
    expect((await refusal(['mask', 'random', '--score', 's'], { stdin: text })).message).toContain('the column s must hold a list of numbers in every row');
    const short = ipc({ n: vectorFromArray([3], new Int32()), s: lists([[1, 2]]) }, 'stream');
    expect((await refusal(['mask', 'random', '--length', 'n', '--score', 's'], { stdin: short })).message).toContain(
      'the column s must hold one number for each of the 3 tokens; got 2 (row 0)',
    );
  });
});

const highest = `export default {
  recipe: { module: 'mine', name: 'highest', options: {} },
  hide({ length, score }) {
    const hidden = new Uint8Array(score.length);
    if (length > 0) hidden[score.indexOf(Math.max(...score.subarray(0, length)))] = 1;
    return hidden;
  },
};`;

describe('maskflow mask keeps what came in', () => {
  /** A stream with nullable, dictionary and foreign extension columns, and metadata of others. */
  function rich(): { bytes: Uint8Array; schema: Schema } {
    const label = vectorFromArray(['a', 'b', 'a'], new Dictionary(new Utf8(), new Int32(), 5));
    const number = vectorFromArray([1, 2, 3], new Int32());
    const text = vectorFromArray(['x', null, 'z'], new Utf8());
    const schema = new Schema(
      [
        new Field('label', label.type, true),
        new Field('number', number.type, true, new Map([['ARROW:extension:name', 'somebody.unit']])),
        new Field('text', text.type, true),
      ],
      new Map([['pandas', '{"index_columns": []}']]),
    );
    const children = [label, number, text].map(({ data }) => data[0]!);
    const writer = new RecordBatchStreamWriter();
    writer.write(new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: 3, nullCount: 0, children })));
    writer.finish();
    return { bytes: writer.toUint8Array(true), schema };
  }

  it.each(['rich.arrow', 'rich.arrows', '-'])('columns, nulls, dictionaries and metadata (%s)', async (to) => {
    const { bytes, schema } = rich();
    const out = to === '-' ? '-' : join(folder, to);
    const { stdout } = await command(['mask', 'random', '--grid', '4', '--out', out], { stdin: bytes });
    const table = tableFromIPC(out === '-' ? stdout : readFileSync(out));
    expect(table.schema.fields.slice(0, 3).map(String)).toEqual(schema.fields.map(String));
    expect(table.schema.fields.slice(0, 3).map(({ nullable, metadata }) => [nullable, [...metadata]])).toEqual(
      schema.fields.map(({ nullable, metadata }) => [nullable, [...metadata]]),
    );
    expect(table.schema.metadata.get('pandas')).toBe('{"index_columns": []}');
    expect(table.toArray().map((row) => [row.label, row.number, row.text])).toEqual([
      ['a', 1, 'x'],
      ['b', 2, null],
      ['a', 3, 'z'],
    ]);
    expect(readFileSyncStart(out, stdout)).toBe(to.endsWith('.arrow') ? 'ARROW1' : 'stream');
  });

  const readFileSyncStart = (out: string, stdout: Uint8Array): string =>
    Buffer.from(out === '-' ? stdout : readFileSync(out)).toString('latin1', 0, 6) === 'ARROW1' ? 'ARROW1' : 'stream';

  it('reads files of both formats, and our own source reads the result', async () => {
    for (const format of ['file', 'stream'] as const) {
      const from = write(folder, `from-${format}`, ipc({ id: vectorFromArray([0, 1, 2, 3, 4], new Int32()) }, format, 2));
      const to = join(folder, `to-${format}.arrow`);
      await command(['mask', 'random', '--grid', '2x2', '--in', from, '--out', to]);
      const rows: unknown[] = [];
      await drain(arrow<{ id: number; mask: Column }>(to), {}, ({ fields }) => rows.push([fields.id, fields.mask.shape, sum(fields.mask.data)]));
      expect(rows).toEqual([0, 1, 2, 3, 4].map((id) => [id, [2, 2], 3]));
    }
    expect(openHandles(folder)).toBe(0);
  });

  it('keeps one record batch in memory: nothing is read while the reader of the output waits', async () => {
    let read = 0;
    const bytes = numbered(2000, 10);
    const stdin = Readable.from(
      (function* () {
        for (let at = 0; at < bytes.length; at += 256) {
          read += 256;
          yield bytes.subarray(at, at + 256);
        }
      })(),
    );
    const stdout = new PassThrough({ highWaterMark: 64 });
    const done = command(['mask', 'random', '--grid', '10'], { stdin, stdout });
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(read).toBeLessThan(bytes.length / 4);
    const chunks: Uint8Array[] = [];
    stdout.on('data', (chunk: Uint8Array) => chunks.push(chunk));
    await done;
    expect(masksOf(Buffer.concat(chunks))).toHaveLength(2000);
  });
});

describe('maskflow mask without rows', () => {
  it.each([
    ['--grid', '3x3', 'FixedSizeList[9]<Uint8>'],
    ['--length', 'n', 'List<Uint8>'],
  ])('writes the schema with the column mask (%s)', async (flag, value, type) => {
    const empty = new RecordBatchStreamWriter();
    empty.write(new Table(new Schema([new Field('n', new Int32(), true)])));
    empty.finish();
    for (const out of ['-', join(folder, `empty${flag}.arrow`)]) {
      const { stdout, stderr } = await command(['mask', 'random', flag, value, '--out', out], { stdin: empty.toUint8Array(true) });
      const table = tableFromIPC(out === '-' ? stdout : readFileSync(out));
      expect(table.numRows).toBe(0);
      expect(table.schema.fields.map((field) => `${field.name} ${field.type}`)).toEqual(['n Int32', `mask ${type}`]);
      expect(stderr).toMatch(/^0 rows, 0 of 0 tokens hidden \(0\.0000\)/u);
    }
  });
});

describe('maskflow mask, a mask of one’s own', () => {
  it('takes a function of options from a TypeScript file', async () => {
    const file = write(folder, 'first.ts', new TextEncoder().encode(firstTokens));
    const { stdout } = await command(['mask', file, '--set', 'count=2', '--grid', '4'], { stdin: numbered(2) });
    expect(masksOf(stdout)).toEqual([
      [1, 1, 0, 0],
      [1, 1, 0, 0],
    ]);
  });

  it('says what a file must export', async () => {
    const nothing = write(folder, 'nothing.ts', new TextEncoder().encode('export const one = 1;'));
    const object = write(folder, 'object.ts', new TextEncoder().encode(highest));
    const wrong = write(folder, 'wrong.ts', new TextEncoder().encode('export default () => 3;'));
    const grid = ['--grid', '4'];
    expect(await refusal(['mask', nothing, ...grid], { stdin: numbered(1) })).toMatchObject({
      usage: true,
      message: expect.stringContaining('must export a mask, or a function that makes one, as its default; got undefined'),
    });
    expect(await refusal(['mask', wrong, ...grid], { stdin: numbered(1) })).toMatchObject({
      usage: true,
      message: expect.stringContaining('the function that the file exports must return a mask; got 3'),
    });
    expect(await refusal(['mask', object, ...grid, '--set', 'ratio=1'], { stdin: numbered(1) })).toMatchObject({
      usage: true,
      message: expect.stringContaining('it takes no options'),
    });
    expect(await refusal(['mask', './none.ts', ...grid], { stdin: numbered(1) })).toMatchObject({
      usage: true,
      message:
        'maskflow.KIND: there is no such file; got "./none.ts". Masks of ours: random, block, colorNoise, bernoulli, countBased, wholeWord, spans, linguisticEntity, tlm.',
    });
  });

  it('names the sample at which a mask fails', async () => {
    const file = write(
      folder,
      'short.ts',
      new TextEncoder().encode(`export default { recipe: { module: 'mine', name: 'short', options: {} }, hide: () => new Uint8Array(1) };`),
    );
    expect((await refusal(['mask', file, '--grid', '4'], { stdin: numbered(1) })).message).toBe(
      'mask.rule: short must give one byte for each of the 4 cells; got 1 (sample 0, epoch 0).',
    );
  });
});

const firstTokens = `interface Options { readonly count?: number }
export default ({ count = 1 }: Options) => ({
  recipe: { module: 'mine', name: 'first', options: { count } },
  hide: ({ grid }: { grid: readonly number[] }) => Uint8Array.from({ length: grid.reduce((a, b) => a * b, 1) }, (_, i) => (i < count ? 1 : 0)),
});`;

describe('maskflow mask refuses', () => {
  const cases: readonly (readonly [string, readonly string[], string])[] = [
    [
      'an unknown mask',
      ['rando', '--grid', '4'],
      'maskflow.KIND: there is no such mask; got "rando". Did you mean random? Masks: random, block, colorNoise, bernoulli, countBased, wholeWord, spans, linguisticEntity, tlm; a file that exports one: ./my-mask.ts.',
    ],
    ['an unknown option', ['random', '--set', 'ratoi=1', '--grid', '4'], 'maskflow.ratoi: there is no such option (mask random). Did you mean ratio?'],
    [
      'a wrong value',
      ['random', '--set', 'ratio=2', '--grid', '4'],
      'maskflow.ratio: must lie in [0, 1]; got 2 (mask random). It is the share of hidden tokens: 0.75 hides three of four.',
    ],
    [
      'a grid that is none',
      ['random', '--grid', '4y4'],
      "error: option '--grid <SIDES>' argument '4y4' is invalid. Expected the sides of a grid, as in 14x14 (images), 4x7x7 (video) or 49 (sequences).",
    ],
    [
      'no layout',
      ['random'],
      'maskflow.grid: nothing tells how many tokens a row has and how they lie. Give --grid 14x14, or --length COLUMN or --score COLUMN. Columns: id.',
    ],
    ['an unknown column', ['random', '--length', 'ids'], 'maskflow.length: there is no such column; got "ids". Did you mean id? Columns: id.'],
    [
      'another extension',
      ['random', '--grid', '4', '--out', 'out.parquet'],
      'maskflow.out: must end in .arrow (the IPC file format) or .arrows (the stream); got "out.parquet".',
    ],
    [
      'a missing file',
      ['random', '--grid', '4', '--in', 'none.arrow'],
      `maskflow.in: there is no such file; got "none.arrow". Name an Arrow file, or '-' for standard input.`,
    ],
    ['an unknown flag', ['random', '--gird', '4'], "error: unknown option '--gird'\n(Did you mean --grid?)"],
  ];
  it.each(cases)('%s, as a usage error', async (_, args, message) => {
    expect(await refusal(['mask', ...args], { stdin: numbered(1) })).toEqual({ usage: true, message });
  });

  it('data that has a mask already', async () => {
    const once = await command(['mask', 'random', '--grid', '4'], { stdin: numbered(2) });
    const { message } = await refusal(['mask', 'random', '--grid', '4'], { stdin: once.stdout });
    expect(message).toContain('maskflow.in: the data has a column mask already, and what came in is never replaced');
  });

  it('to write the file that it reads, also by another name', async () => {
    const file = write(folder, 'same.arrow', numbered(2));
    const link = join(folder, 'link.arrow');
    symlinkSync(file, link);
    for (const out of [file, join(folder, '..', folder.split('/').at(-1)!, 'same.arrow'), link]) {
      expect(await refusal(['mask', 'random', '--grid', '4', '--in', file, '--out', out])).toMatchObject({
        usage: true,
        message: expect.stringContaining('this is the file that is read'),
      });
    }
    expect(readFileSync(file)).toEqual(Buffer.from(numbered(2)));
  });

  it('terminals', async () => {
    const typed = Object.assign(Readable.from([]), { isTTY: true });
    expect((await refusal(['mask', 'random', '--grid', '4'], { stdin: typed })).message).toContain('maskflow.in: standard input is a terminal');
    const shown = Object.assign(new PassThrough(), { isTTY: true });
    expect((await refusal(['mask', 'random', '--grid', '4'], { stdin: numbered(1), stdout: shown })).message).toContain(
      'maskflow.out: standard output is a terminal',
    );
  });

  it('what is no Arrow, and what is cut short, leaving no file behind', async () => {
    const inner = join(folder, 'left');
    mkdirSync(inner);
    const out = join(inner, 'out.arrow');
    const args = ['mask', 'random', '--grid', '4', '--out', out];
    expect((await refusal(args, { stdin: new Uint8Array(0) })).message).toContain('nothing came in (0 bytes)');
    expect((await refusal(args, { stdin: new TextEncoder().encode('PAR1 and so on and on') })).message).toContain('It looks like Parquet');
    const bytes = numbered(500, 100);
    const { message, usage } = await refusal(args, { stdin: bytes.subarray(0, bytes.length - 300) });
    expect([message, usage]).toEqual([expect.stringContaining('is cut short'), false]);
    expect(readdirSync(inner)).toEqual([]);
    const file = write(folder, 'cut.arrow', ipc({ id: vectorFromArray([1, 2, 3], new Int32()) }).subarray(0, 200));
    expect((await refusal(['mask', 'random', '--grid', '4', '--in', file])).message).toContain('its end is missing');
  });
});

describe('maskflow mask tells', () => {
  it('one JSON object with --json', async () => {
    const out = join(folder, 'told.arrow');
    const { stdout, stderr } = await command(['mask', 'block', '--grid', '10', '--out', out, '--json', '--seed', '4'], { stdin: numbered(3) });
    expect(stdout).toHaveLength(0);
    expect(JSON.parse(stderr)).toEqual({ rows: 3, tokens: 30, hidden: 12, ratio: 0.4, mask: 'block', seed: 4, out });
  });

  it('nothing when the reader of the output has enough', async () => {
    const { stderr } = await command(['mask', 'random', '--grid', '4'], { stdin: numbered(500, 10), stdout: brokenPipe() });
    expect(stderr).toBe('');
  });
});

const root = join(import.meta.dirname, '../..');
const bin = join(root, 'bin/maskflow.js');
const built = spawnSync('node', [join(root, 'tools/isBuilt.mjs')]).status === 0;
if (!built) console.log('skipped: the command end to end, because dist/ is missing or older than src/ (npm run build)');

describe.skipIf(!built)('the built command', () => {
  beforeAll(async () => {
    const rows = Array.from({ length: 5000 }, (_, id) => ({ id }));
    await drain(memory(rows).pipe(batch(50), arrowFile(join(folder, 'large.arrow'))));
  });

  it('masks in a pipe, with a mask file that imports maskflow', () => {
    const file = write(
      folder,
      'spread.ts',
      new TextEncoder().encode(`import { colorNoise } from 'maskflow';\nexport default ({ ratio = 0.5 }) => colorNoise({ color: 'blue', ratio });\n`),
    );
    const first = execFileSync('node', [bin, 'mask', file, '--set', 'ratio=0.25', '--grid', '4x4'], { input: numbered(4), stdio: ['pipe', 'pipe', 'ignore'] });
    expect(masksOf(first).map(sum)).toEqual([4, 4, 4, 4]);
  });

  it('ends quietly with code 0 when the pipe breaks, with code 2 for usage', () => {
    const shell = spawnSync(
      'bash',
      [
        '-c',
        `"${process.execPath}" "${bin}" mask random --grid 14x14 --in "${join(folder, 'large.arrow')}" | head -c 1000 > /dev/null; echo \${PIPESTATUS[0]}`,
      ],
      { encoding: 'utf8' },
    );
    expect([shell.stdout.trim(), shell.stderr]).toEqual(['0', '']);
    const wrong = spawnSync('node', [bin, 'mask', 'rando', '--grid', '4'], { input: '', encoding: 'utf8' });
    expect([wrong.status, wrong.stdout]).toEqual([2, '']);
    expect(wrong.stderr).toContain('Did you mean random?');
  });
});
