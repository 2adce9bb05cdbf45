import type { Drawable } from './drawToken.js';
import { tokenStats } from './tokenStats.js';

/**
 * softmax(logits[from … from + vocabulary)) in float64, 0 for ids of `never`; written to `out` from `at` on.
 *
 * @example
 * probabilities({ logits: Float32Array.of(0, 0), vocabulary: 2, never: [] }, 0); // Float64Array [0.5, 0.5]
 */
export function probabilities(of: Drawable, from: number, out = new Float64Array(of.vocabulary), at = 0): Float64Array {
  const { logSum } = tokenStats(of, from);
  for (let id = 0; id < of.vocabulary; id++) out[at + id] = Math.exp((of.logits[from + id] as number) - logSum);
  for (const id of of.never) if (id < of.vocabulary) out[at + id] = 0;
  return out;
}
