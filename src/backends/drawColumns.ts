// Declared random inputs of a program (dropout, Gumbel noise, attack starts) as values: a pure function of the seed, the
// program's weight set, the draw's name and each sample's origin. Shared by every executor, so that engines agree.
import { type Column, type Origin, sizeOf } from '../core/batch.js';
import { Draws, fold, rootKey, sampleKey, words } from '../core/key.js';
import type { Draw, Program } from '../core/program.js';

/**
 * The draws of a batch, one column each of shape [rows, …draw.shape], float32.
 * `uniform` has 24 bits and lies in [0, 1), so that it stays below 1 in float32; `normal` and `gumbel` are standard.
 * A row's values depend on its own origin alone, never on the batch that it travels in.
 *
 * @param program its `weights` names the key; the set that is read in its place by `evaluate` changes nothing
 * @example
 * drawColumns({ weights: 'student' }, { keep: { shape: [64], law: 'uniform' } }, 0, batch.origins).keep.data;
 */
export function drawColumns(
  program: Pick<Program, 'weights'>,
  draws: Readonly<Record<string, Draw>>,
  seed: number,
  origins: readonly Origin[],
): Record<string, Column<Float32Array>> {
  const columns: Record<string, Column<Float32Array>> = {};
  for (const [name, { shape, law }] of Object.entries(draws)) {
    const stage = fold(fold(rootKey(seed), 'draw'), `${program.weights}/${name}`);
    const width = sizeOf(shape);
    const data = new Float32Array(origins.length * width);
    origins.forEach((origin, row) => {
      const key = sampleKey(stage, origin);
      const out = data.subarray(row * width, (row + 1) * width);
      if (law === 'uniform') {
        const drawn = words(key, width);
        for (let i = 0; i < width; i++) out[i] = ((drawn[i] as number) >>> 8) / 2 ** 24;
        return;
      }
      const stream = new Draws(key);
      for (let i = 0; i < width; i++) out[i] = law === 'normal' ? stream.normal() : stream.gumbel();
    });
    columns[name] = { data, shape: [origins.length, ...shape] };
  }
  return columns;
}
