// Statistics of masks under fixed seeds. A stated false-alarm rate is the probability that a right implementation fails
// under another seed; under these seeds the tests are deterministic.
import { describe, expect, it } from 'vitest';
import { fold, rootKey, sampleKey } from '../../src/core/key.js';
import { type Color, type Mask, colorBank, colorNoise, random } from '../../src/operators/masks/index.js';

const stageKey = fold(rootKey(2024), 'mask');
const maskOf = (rule: Mask, grid: readonly number[], id: number, epoch = 0): Uint8Array =>
  rule.hide({ grid, length: grid.reduce((product, side) => product * side, 1) }, sampleKey(stageKey, { source: 0, id, epoch }));

/** Quantile 1 − 1e-6 of χ² with `df` degrees of freedom (Wilson–Hilferty, z = 4.753). */
const chiSquareLimit = (df: number): number => df * (1 - 2 / (9 * df) + 4.753 * Math.sqrt(2 / (9 * df))) ** 3;

/** χ² of the visible counts of L cells over n masks of `keep` visible cells: sampling without replacement, so L − 1 degrees. */
function chiSquare(visible: Float64Array, n: number, keep: number): number {
  const length = visible.length;
  const p = keep / length;
  return (visible.reduce((sum, seen) => sum + (seen - n * p) ** 2, 0) / (n * p * (1 - p))) * ((length - 1) / length);
}

function visibleCounts(rule: Mask, grid: readonly number[], n: number): Float64Array {
  const visible = new Float64Array(grid.reduce((product, side) => product * side, 1));
  for (let id = 0; id < n; id++)
    maskOf(rule, grid, id).forEach((hidden, i) => {
      visible[i] = (visible[i] as number) + 1 - hidden;
    });
  return visible;
}

describe('random', () => {
  it('hides each token with probability (L − keep) / L', () => {
    // False-alarm rate 2e-6 each: χ² beyond its upper or below its lower 1e-6 quantile (the latter at z = −4.753).
    for (const [grid, keep] of [
      [[14, 14], 49],
      [[4, 4], 4],
      [[50], 12],
    ] as const) {
      const length = grid.reduce<number>((product, side) => product * side, 1);
      const value = chiSquare(visibleCounts(random(), grid, 4000), 4000, keep);
      expect(value).toBeLessThan(chiSquareLimit(length - 1));
      const df = length - 1;
      expect(value).toBeGreaterThan(df * Math.max(0, 1 - 2 / (9 * df) - 4.753 * Math.sqrt(2 / (9 * df))) ** 3);
    }
  });

  it('takes every set of two of six tokens equally often', () => {
    // 15 sets, 6000 masks; false-alarm rate 1e-6.
    const sets = new Map<string, number>();
    for (let id = 0; id < 6000; id++) {
      const name = maskOf(random({ ratio: 2 / 3 }), [6], id).join('');
      sets.set(name, (sets.get(name) ?? 0) + 1);
    }
    expect(sets.size).toBe(15);
    expect([...sets.values()].reduce((sum, seen) => sum + (seen - 400) ** 2 / 400, 0)).toBeLessThan(chiSquareLimit(14));
  });

  it('masks samples, epochs and stages independently of one another', () => {
    // The overlap of two independent visible sets is hypergeometric: mean keep² / L = 12.25, variance 12.25 · (147 / 196)² · 196 / 195.
    // Over 4000 pairs, 5σ: false-alarm rate 6e-7 a kind of pair.
    const n = 4000;
    const variance = 49 * (49 / 196) * (147 / 196) * ((196 - 49) / 195);
    const other = fold(rootKey(2024), 'mask2');
    const tokens = { grid: [14, 14], length: 196 };
    const pairs: Record<string, (id: number) => Uint8Array> = {
      'next sample': (id) => maskOf(random(), [14, 14], id + 1),
      'next epoch': (id) => maskOf(random(), [14, 14], id, 1),
      'other source': (id) => random().hide(tokens, sampleKey(stageKey, { source: 1, id, epoch: 0 })),
      'other stage': (id) => random().hide(tokens, sampleKey(other, { source: 0, id, epoch: 0 })),
      'other seed': (id) => random().hide(tokens, sampleKey(fold(rootKey(2025), 'mask'), { source: 0, id, epoch: 0 })),
    };
    for (const [kind, of] of Object.entries(pairs)) {
      let overlap = 0;
      for (let id = 0; id < n; id++) {
        const b = of(id);
        maskOf(random(), [14, 14], id).forEach((hidden, i) => {
          overlap += (1 - hidden) * (1 - (b[i] as number));
        });
      }
      expect(Math.abs(overlap / n - 12.25) / Math.sqrt(variance / n), kind).toBeLessThan(5);
    }
  });
});

describe('white colorNoise', () => {
  it('masks as MAE does: every patch alike, and neighbours no more often than others', () => {
    // A bank is a finite population: 256 patterns, 57² windows. It adds less than 2 % to the scatter of 4000 masks; rate about 2e-6.
    const n = 4000;
    const rule = colorNoise({ color: 'white' });
    expect(chiSquare(visibleCounts(rule, [8, 8], n), n, 16)).toBeLessThan(chiSquareLimit(63));
    // Both of two neighbours visible: probability 16 · 15 / (64 · 63), over 112 pairs; a mask's number of such pairs has
    // a standard deviation of about 2.5 (measured under random), so 5σ of the mean over 4000 masks is 0.2.
    const pairs = (of: Mask): number => {
      let sum = 0;
      for (let id = 0; id < n; id++) {
        const mask = maskOf(of, [8, 8], id);
        for (let i = 0; i < 64; i++) {
          if (mask[i] === 1) continue;
          if ((i + 1) % 8 !== 0 && mask[i + 1] === 0) sum++;
          if (i < 56 && mask[i + 8] === 0) sum++;
        }
      }
      return sum / n;
    };
    const expected = (112 * 16 * 15) / (64 * 63);
    expect(Math.abs(pairs(rule) - expected)).toBeLessThan(0.2);
    expect(Math.abs(pairs(random()) - expected)).toBeLessThan(0.2);
  });
});

describe('coloured masks have the statistics that the ColorMAE card measured', () => {
  /** P(right or lower neighbour visible | visible), and the mean Chebyshev distance of hidden patches to the nearest visible one. */
  function statistics(color: Color, g: number): { neighbour: number; distance: number } {
    const rule = rules[color];
    let [pairs, both, hidden, distance] = [0, 0, 0, 0];
    for (let id = 0; id < 2048; id++) {
      const mask = maskOf(rule, [g, g], id);
      const visible: number[] = [];
      for (let i = 0; i < g * g; i++) {
        if (mask[i] === 1) continue;
        visible.push(i);
        if ((i + 1) % g !== 0) {
          pairs++;
          both += 1 - (mask[i + 1] as number);
        }
        if (i + g < g * g) {
          pairs++;
          both += 1 - (mask[i + g] as number);
        }
      }
      for (let i = 0; i < g * g; i++) {
        if (mask[i] === 0) continue;
        let nearest = g;
        for (const v of visible) {
          const far = Math.max(Math.abs(((i / g) | 0) - ((v / g) | 0)), Math.abs((i % g) - (v % g)));
          if (far < nearest) nearest = far;
        }
        hidden++;
        distance += nearest;
      }
    }
    return { neighbour: both / pairs, distance: distance / hidden };
  }

  const rules = Object.fromEntries((['white', 'red', 'blue', 'green', 'purple'] as const).map((color) => [color, colorNoise({ color })])) as Record<
    Color,
    Mask
  >;
  // The card's tolerance of ±0.03 is many standard errors (below 0.002 for the neighbours, 0.004 for the distance; a bank adds
  // about as much again): false-alarm rate below 1e-6 where the card's figure is the true value.
  const table: readonly (readonly [Color, number, number, number, number])[] = [
    ['white', 0.246, 0.238, 1.14, 1.17],
    ['red', 0.64, 0.61, 1.76, 1.72],
    ['blue', 0.18, 0.18, 1.08, 1.11],
    ['green', 0.5, 0.49, 1.37, 1.41],
    ['purple', 0.165, 0.157, 1.09, 1.11],
  ];
  it.each(table)('%s', (color, neighbour14, neighbour8, distance14, distance8) => {
    const [at14, at8] = [statistics(color, 14), statistics(color, 8)];
    expect(Math.abs(at14.neighbour - neighbour14), `g = 14: ${at14.neighbour}`).toBeLessThan(0.03);
    expect(Math.abs(at8.neighbour - neighbour8), `g = 8: ${at8.neighbour}`).toBeLessThan(0.03);
    expect(Math.abs(at14.distance - distance14), `g = 14: ${at14.distance}`).toBeLessThan(0.03);
    expect(Math.abs(at8.distance - distance8), `g = 8: ${at8.distance}`).toBeLessThan(0.03);
  });
});

describe('green noise', () => {
  it('has its power between 0.1 and 0.2 cycles a patch and little outside', () => {
    const side = 64;
    const patterns = 16;
    const { data } = colorBank([side, side], { color: 'green', patterns });
    const table = Array.from({ length: side }, (_, k) => [Math.cos((2 * Math.PI * k) / side), -Math.sin((2 * Math.PI * k) / side)] as const);
    /** Discrete Fourier transform along rows, then along columns: power [side, side]. */
    const power = (pattern: Float32Array): Float64Array => {
      let re = Float64Array.from(pattern);
      let im = new Float64Array(side * side);
      for (let pass = 0; pass < 2; pass++) {
        const [re2, im2] = [new Float64Array(side * side), new Float64Array(side * side)];
        for (let row = 0; row < side; row++) {
          for (let k = 0; k < side; k++) {
            let [a, b] = [0, 0];
            for (let x = 0; x < side; x++) {
              const [c, s] = table[(k * x) % side] as readonly [number, number];
              const [r, i] = [re[row * side + x] as number, im[row * side + x] as number];
              a += r * c - i * s;
              b += r * s + i * c;
            }
            // Transposed, so that the second pass runs along the other axis.
            re2[k * side + row] = a;
            im2[k * side + row] = b;
          }
        }
        [re, im] = [re2, im2];
      }
      return re.map((value, i) => (value ** 2 + (im[i] as number) ** 2) / side ** 2);
    };
    // Mean power in rings 0.025 cycles wide.
    const rings = Array.from({ length: 29 }, () => ({ sum: 0, count: 0 }));
    for (let n = 0; n < patterns; n++) {
      power(data.subarray(n * side * side, (n + 1) * side * side)).forEach((value, i) => {
        const frequency = (k: number): number => (k > side / 2 ? k - side : k) / side;
        const ring = rings[Math.floor(Math.hypot(frequency(i % side), frequency(Math.floor(i / side))) / 0.025)];
        if (ring === undefined || i === 0) return;
        ring.sum += value;
        ring.count++;
      });
    }
    const mean = (from: number, to: number): number => {
      const some = rings.slice(Math.round(from / 0.025), Math.round(to / 0.025));
      return some.reduce((sum, ring) => sum + ring.sum, 0) / some.reduce((sum, ring) => sum + ring.count, 0);
    };
    const radial = rings.map(({ sum, count }) => (count === 0 ? 0 : sum / count));
    const peak = Math.max(...radial);
    const at = radial.indexOf(peak) * 0.025 + 0.0125;
    // A ring's mean over 16 patterns scatters by about 4 %; those outside 0.1–0.2 are at least 28 % lower than the peak, the
    // power below 0.05 is 5 % and that above 0.5 less than 1 % of it: false-alarm rate below 1e-6.
    expect(at).toBeGreaterThan(0.1);
    expect(at).toBeLessThan(0.2);
    expect(mean(0, 0.05)).toBeLessThan(0.1 * peak);
    expect(mean(0.5, 0.725)).toBeLessThan(0.1 * peak);
  });
});
