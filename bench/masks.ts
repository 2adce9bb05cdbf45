// Masks a second, by kind, on one thread: the pure function alone, and through the `mask` stage in batches of 256.
// One JSON line a figure; the median of seven repeats of at least 0.1 s. Run: npm run bench -- masks
import { type Batch, type Mask, block, colorNoise, fold, mask, random, rootKey, sampleKey } from 'maskflow';
import { from } from 'rxjs';
import { line } from './support/line.js';
import { median } from './support/quantile.js';

const rows = 256;
const repeats = 7;
const seconds = 0.1;

const rules: readonly (readonly [kind: string, rule: Mask])[] = [
  ['random', random({ ratio: 0.75 })],
  ['block', block({ ratio: 0.4 })],
  ...(['white', 'red', 'blue', 'green', 'purple'] as const).map((color) => [`colorNoise.${color}`, colorNoise({ color })] as const),
];

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

/** All kinds on the first, the three rules on the others. */
const grids = [[14, 14], [7, 7], [196], [4, 14, 14]];

for (const grid of grids) {
  const length = grid.reduce((product, side) => product * side, 1);
  for (const [kind, rule] of rules) {
    if (grid !== grids[0] && kind.startsWith('colorNoise') && kind !== 'colorNoise.green') continue;
    const stageKey = fold(rootKey(0), 'mask');
    let id = 0;
    const pure = (): number => {
      for (let row = 0; row < rows; row++) rule.hide({ grid, length }, sampleKey(stageKey, { source: 0, id: id++, epoch: 0 }));
      return rows;
    };
    const chain = (): number => {
      const batches = Array.from({ length: 8 }, (): Batch<{ tokens: { data: Float32Array; shape: number[] } }> => {
        const origins = Array.from({ length: rows }, () => ({ source: 0, id: id++, epoch: 0, position: id }));
        return { rows, columns: { tokens: { data: new Float32Array(rows * length), shape: [rows, length, 1] } }, origins, grid, program: undefined };
      });
      let made = 0;
      from(batches)
        .pipe(mask(rule))
        .subscribe((batch) => {
          made += batch.rows;
        });
      return made;
    };
    for (const [through, once] of [
      ['function', pure],
      ['stage', chain],
    ] as const) {
      line('masks', { kind, through, grid, masksPerSecond: Math.round(measure(once)), repeats });
    }
  }
}
