// W2: a masked autoencoder on a ViT of tiny size. 64 patches of 4 × 4 RGB pixels, 16 of them visible, batch 64, AdamW: gathers,
// two widths and many small parameters beside the products.
import { random } from 'maskflow';
import { masked } from './masked.js';
import type { Workload } from './workload.js';

/** Encoder 192 × 4, decoder 96 × 2, 3 heads each; fewer rows for tests. */
export function w2({ rows = 64 }: { readonly rows?: number } = {}): Workload {
  return masked(
    'w2',
    {
      rows,
      grid: [8, 8],
      patch: 4,
      channels: 3,
      width: 192,
      depth: 4,
      heads: 3,
      decoder: { width: 96, depth: 2, heads: 3 },
      eps: 1e-5,
      rule: random({ ratio: 0.75 }),
    },
    { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0.05 },
  );
}
