// The training step of pipelines/colormae-mnist.ts, the job of `npm start`: model, mask, loss, optimiser and clipping as
// there. A small step, of which calls and copies are a larger part than of the other two.
import { colorNoise } from 'maskflow';
import { masked } from './masked.js';
import type { Workload } from './workload.js';

/** Patches of 7 on 28 × 28, encoder 48 × 2, decoder 32 × 1, batch 64. */
export function mainJob({ rows = 64 }: { readonly rows?: number } = {}): Workload {
  return masked(
    'mainJob',
    {
      rows,
      grid: [4, 4],
      patch: 7,
      channels: 1,
      width: 48,
      depth: 2,
      heads: 4,
      decoder: { width: 32, depth: 1, heads: 4 },
      eps: 1e-6,
      rule: colorNoise({ color: 'green', ratio: 0.75 }),
      clip: 1,
    },
    { learningRate: 4e-3, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05 },
  );
}
