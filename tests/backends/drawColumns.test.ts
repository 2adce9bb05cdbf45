import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { drawColumns } from '../../src/backends/drawColumns.js';
import type { Origin } from '../../src/core/batch.js';

const origin = (id: number, epoch = 0): Origin => ({ source: 0, id, epoch, position: id });
const draw = (law: 'uniform' | 'normal' | 'gumbel', origins: readonly Origin[], width = 8, seed = 0, weights = 'student', name = 'noise'): Float32Array =>
  (drawColumns({ weights }, { [name]: { shape: [width], law } }, seed, origins)[name] as { data: Float32Array }).data;

describe('drawColumns', () => {
  it('has one row a sample, of the shape that was declared', () => {
    const columns = drawColumns({ weights: 'student' }, { a: { shape: [2, 3], law: 'normal' }, b: { shape: [], law: 'uniform' } }, 0, [origin(1), origin(2)]);
    expect(columns.a?.shape).toEqual([2, 2, 3]);
    expect(columns.a?.data.length).toBe(12);
    expect(columns.b?.shape).toEqual([2]);
  });

  it('depends on seed, weight set, name, id and epoch, and on nothing else', () => {
    fc.assert(
      fc.property(
        fc.array(fc.nat(1000), { minLength: 1, maxLength: 6 }),
        fc.nat(5),
        fc.constantFrom('uniform' as const, 'normal' as const, 'gumbel' as const),
        (ids, at, law) => {
          const row = at % ids.length;
          const together = draw(
            law,
            ids.map((id) => origin(id)),
          );
          const alone = draw(law, [{ ...origin(ids[row] as number), position: 77 }]);
          expect([...together.subarray(8 * row, 8 * row + 8)]).toEqual([...alone]);
        },
      ),
      { numRuns: 60, seed: 1 },
    );
    const base = [...draw('normal', [origin(3)])];
    for (const other of [
      draw('normal', [origin(3)], 8, 1),
      draw('normal', [origin(3)], 8, 0, 'teacher'),
      draw('normal', [origin(3)], 8, 0, 'student', 'other'),
      draw('normal', [origin(4)]),
      draw('normal', [origin(3, 1)]),
    ]) {
      expect([...other]).not.toEqual(base);
    }
  });

  it('uniform stays in [0, 1) in float32', () => {
    const drawn = draw(
      'uniform',
      Array.from({ length: 2000 }, (_, id) => origin(id)),
      10,
    );
    expect(Math.min(...drawn)).toBeGreaterThanOrEqual(0);
    expect(Math.max(...drawn)).toBeLessThan(1);
  });

  // 20,000 draws: each mean is checked within 5 standard errors: false alarm below 6e-7 a law (two-sided normal tail).
  it.each([
    ['uniform', 0.5, Math.sqrt(1 / 12)],
    ['normal', 0, 1],
    ['gumbel', 0.5772156649, Math.PI / Math.sqrt(6)],
  ] as const)('%s has its mean', (law, mean, deviation) => {
    const drawn = draw(
      law,
      Array.from({ length: 2500 }, (_, id) => origin(id)),
    );
    expect(Math.abs(drawn.reduce((sum, v) => sum + v, 0) / drawn.length - mean)).toBeLessThan((5 * deviation) / Math.sqrt(drawn.length));
  });
});
