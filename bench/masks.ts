// Masks a second, by kind, on one thread: the pure function alone, and through the `mask` stage in batches of 256; text kinds on
// rows as tokenize leaves them, also with `corrupt` behind (what a Python collator does). Special tokens count as tokens.
// One JSON line a figure; the median of seven repeats of at least 0.1 s. Run: npm run bench -- masks
import {
  type Batch,
  type Column,
  type Mask,
  bernoulli,
  block,
  colorNoise,
  corrupt,
  countBased,
  fold,
  linguisticEntity,
  mask,
  random,
  rootKey,
  sampleKey,
  spans,
  tlm,
  wholeWord,
} from 'maskflow';
import { type Observable, from } from 'rxjs';
import { line } from './support/line.js';
import { median } from './support/quantile.js';

const rows = 256;
const repeats = 7;
const seconds = 0.1;
const vocabulary = 30_522;

/** Median of masks a second over the repeats, after one that warms up (and makes the pattern bank). */
function measure(once: () => number): number {
  const rates: number[] = [];
  for (let repeat = 0; repeat <= repeats; repeat++) {
    const start = performance.now();
    let made = 0;
    let elapsed = 0;
    while (elapsed < seconds) {
      made += once();
      elapsed = (performance.now() - start) / 1000;
    }
    if (repeat > 0) rates.push(made / elapsed);
  }
  return median(rates);
}

let id = 0;
const stageKey = fold(rootKey(0), 'mask');
const nextKey = () => sampleKey(stageKey, { source: 0, id: id++, epoch: 0 });
type AnyBatch = Batch<Record<string, Column>>;

/** Rows made by one run of eight batches through `chain`. */
function flow(columns: Record<string, Column>, grid: readonly number[], chain: (source: Observable<AnyBatch>) => Observable<{ rows: number }>): number {
  const batches = Array.from({ length: 8 }, (): AnyBatch => {
    const origins = Array.from({ length: rows }, () => ({ source: 0, id: id++, epoch: 0, position: id }));
    return { rows, columns, origins, grid, program: undefined };
  });
  let made = 0;
  chain(from(batches)).subscribe((batch) => {
    made += batch.rows;
  });
  return made;
}

const rules: readonly (readonly [kind: string, rule: Mask])[] = [
  ['random', random({ ratio: 0.75 })],
  ['block', block({ ratio: 0.4 })],
  ...(['white', 'red', 'blue', 'green', 'purple'] as const).map((color) => [`colorNoise.${color}`, colorNoise({ color })] as const),
];
/** All kinds on the first, the three rules on the others. */
const grids = [[14, 14], [7, 7], [196], [4, 14, 14]];

for (const grid of grids) {
  const length = grid.reduce((product, side) => product * side, 1);
  for (const [kind, rule] of rules) {
    if (grid !== grids[0] && kind.startsWith('colorNoise') && kind !== 'colorNoise.green') continue;
    const pure = (): number => {
      for (let row = 0; row < rows; row++) rule.hide({ grid, length }, nextKey());
      return rows;
    };
    // Made for every run, as a view makes them.
    const columns = () => ({ tokens: { data: new Float32Array(rows * length), shape: [rows, length, 1] } });
    const stage = (): number => flow(columns(), grid, (source) => source.pipe(mask(rule) as never) as Observable<AnyBatch>);
    for (const [through, once] of [
      ['function', pure],
      ['stage', stage],
    ] as const) {
      line('masks', { kind, through, grid, masksPerSecond: Math.round(measure(once)), repeats });
    }
  }
}

/** A batch of two sentences a row, [CLS] … [SEP] … [SEP]: every third word of two pieces, some 45 % of words tagged. */
function textColumns(length: number): Record<string, Column> {
  const cells = rows * length;
  const [tokens, words, documents] = [new Int32Array(cells), new Int32Array(cells), new Int32Array(cells)];
  const [special, tags] = [new Uint8Array(cells), new Uint8Array(cells)];
  for (let row = 0; row < rows; row++) {
    for (let i = 0, word = 0, piece = 0; i < length; i++) {
      const at = row * length + i;
      const isSpecial = i === 0 || i === length - 1 || i === length >> 1;
      special[at] = isSpecial ? 1 : 0;
      words[at] = isSpecial ? -1 : word;
      tags[at] = isSpecial ? 0 : ([0, 4, 0, 2, 0, 0, 4, 0, 1, 4, 0][(word + row) % 11] as number);
      tokens[at] = isSpecial ? 101 : 1000 + ((word * 7919 + row * 31 + piece) % 29_000);
      piece = !isSpecial && word % 3 === 0 && piece === 0 ? 1 : 0;
      if (piece === 0) word++;
    }
  }
  const shaped = (data: Int32Array | Uint8Array): Column => ({ data, shape: [rows, length] });
  const lengths = { data: new Int32Array(rows).fill(length), shape: [rows] };
  return { tokens: shaped(tokens), length: lengths, special: shaped(special), words: shaped(words), tags: shaped(tags), documents: shaped(documents) };
}

const counts = Float64Array.from({ length: vocabulary }, (_, token) => (token < 1000 ? 0 : 1e6 / (token - 900)));
const textRules: readonly (readonly [kind: string, rule: Mask, options: { readonly unit?: 'span'; readonly counts?: Float64Array }])[] = [
  ['bernoulli', bernoulli(), {}],
  ['countBased', countBased(), {}],
  ['wholeWord', wholeWord(), {}],
  ['spans', spans(), { unit: 'span', counts }],
  ['linguisticEntity', linguisticEntity(), {}],
  ['tlm', tlm(), {}],
  ['tlm.counts', tlm({ counts }), {}],
];

for (const length of [128, 512]) {
  const columns = textColumns(length);
  const parts = Object.entries(columns).map(([name, { data }]) => [name, data] as const);
  const special = columns.special?.data as Uint8Array;
  for (const [kind, rule, options] of textRules) {
    const read = parts.filter(([name]) => rule.reads?.includes(name) || rule.readsIfPresent?.includes(name));
    const pure = (): number => {
      for (let row = 0; row < rows; row++) {
        const [begin, end] = [row * length, (row + 1) * length];
        const own = Object.fromEntries(read.map(([name, data]) => [name, data.subarray(begin, end)]));
        rule.hide({ grid: [length], length, special: special.subarray(begin, end), columns: own }, nextKey());
      }
      return rows;
    };
    const corrupted = corrupt({ maskId: 103, vocabulary, ...options });
    const stage = (): number => flow(columns, [length], (source) => source.pipe(mask(rule) as never) as Observable<AnyBatch>);
    const both = (): number => flow(columns, [length], (source) => source.pipe(mask(rule) as never, corrupted as never) as Observable<AnyBatch>);
    for (const [through, once] of [
      ['function', pure],
      ['stage', stage],
      ['stage and corrupt', both],
    ] as const) {
      const masksPerSecond = measure(once);
      line('masks', { kind, through, length, masksPerSecond: Math.round(masksPerSecond), tokensPerSecond: Math.round(masksPerSecond * length), repeats });
    }
  }
}
