// The training step of MAE's own ViT-B/16 (He et al. 2022): what a GPU is measured with. 196 patches of 16 × 16 RGB pixels, 49
// of them visible. A step of 64 images takes some 4 TFLOP, ten seconds of two cores.
import { random } from 'maskflow';
import { masked } from './masked.js';
import type { Workload } from './workload.js';

/** Encoder 768 × 12 with 12 heads, decoder 512 × 8 with 16. `BENCH_ROWS` images, default 64. */
export function vitB16({ rows = Number(process.env.BENCH_ROWS ?? 64) }: { readonly rows?: number } = {}): Workload {
  return masked(
    'vitB16',
    {
      rows,
      grid: [14, 14],
      patch: 16,
      channels: 3,
      width: 768,
      depth: 12,
      heads: 12,
      decoder: { width: 512, depth: 8, heads: 16 },
      eps: 1e-12,
      rule: random({ ratio: 0.75 }),
    },
    { learningRate: 1.5e-4, beta1: 0.9, beta2: 0.95, eps: 1e-8, weightDecay: 0.05 },
  );
}
