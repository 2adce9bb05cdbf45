// Exact categorical draws. Tokens are drawn by rejection in float64: a block of 64 ids is chosen in proportion to 64 times its
// largest weight, an id of it uniformly, and it is taken with probability weight / largest weight; so an id comes with
// probability ∝ exp(logit / temperature), as from an inverse CDF, but one exponential is needed for 64 ids: a draw of
// V = 50,257 costs little more than reading the logits. At most 64 trials are expected. Every uniform has 53 bits: float32
// Gumbel noise, which starves rare tokens (Zheng et al. 2024, "Masked diffusion models are secretly time-agnostic", section 5),
// has 24.
import { MaskflowError } from '../../core/errors.js';
import { drawUniform, drawWord } from '../masks/draws.js';
import type { Seen } from './sampler.js';

const block = 64;
let most = new Float64Array(1024);
let upTo = new Float64Array(1024);

/** What a draw reads: `Seen`, or logits of any other origin. */
export type Drawable = Pick<Seen, 'logits' | 'vocabulary' | 'never'>;

/**
 * One token from logits[from … from + vocabulary), by the draws that are begun (`beginDraws(key)`); ids of `never` never come.
 * Temperature 0 takes the most probable, the lowest id on ties, and draws nothing.
 *
 * @throws MaskflowError for logits that are NaN or +∞, or all −∞
 *
 * @example
 * beginDraws(rootKey(0));
 * drawToken({ logits: Float32Array.of(0, 1, 2), vocabulary: 3, never: [] }, 0, 1);
 */
export function drawToken({ logits, vocabulary, never }: Drawable, from: number, temperature: number): number {
  const blocks = Math.ceil(vocabulary / block);
  if (most.length < blocks) {
    most = new Float64Array(2 * blocks);
    upTo = new Float64Array(2 * blocks);
  }
  // 1. The largest logit of each block. A sum finds NaN at no cost: NaN loses every comparison.
  let sum = 0;
  for (let b = 0, at = from; b < blocks; b++) {
    const end = Math.min(at + block, from + vocabulary);
    let largest = Number.NEGATIVE_INFINITY;
    for (; at < end; at++) {
      const logit = logits[at] as number;
      if (logit > largest) largest = logit;
      sum += logit;
    }
    most[b] = largest;
  }
  for (const id of never) {
    if (id < vocabulary) most[Math.floor(id / block)] = largestBut(logits, from, Math.floor(id / block), vocabulary, never);
  }
  let peak = Number.NEGATIVE_INFINITY;
  for (let b = 0; b < blocks; b++) if ((most[b] as number) > peak) peak = most[b] as number;
  if (Number.isNaN(sum) || !Number.isFinite(peak)) throw refused(logits, from, vocabulary);
  if (temperature === 0) return firstAt(logits, from, vocabulary, peak, never);
  // 2. Blocks by 64 times their largest weight, then ids by rejection.
  let total = 0;
  for (let b = 0; b < blocks; b++) {
    total += Math.exp(((most[b] as number) - peak) / temperature);
    upTo[b] = total;
  }
  for (;;) {
    const at = drawUniform() * total;
    let [low, high] = [0, blocks - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((upTo[middle] as number) > at) high = middle;
      else low = middle + 1;
    }
    const id = low * block + (drawWord() >>> 26);
    if (id >= vocabulary || never.includes(id)) continue;
    // A block of −∞ alone has no share; rounding at its edge may still name it, and −∞ − −∞ is never taken.
    if (drawUniform() < Math.exp(((logits[from + id] as number) - (most[low] as number)) / temperature)) return id;
  }
}

function largestBut(logits: Float32Array, from: number, b: number, vocabulary: number, never: readonly number[]): number {
  let largest = Number.NEGATIVE_INFINITY;
  for (let id = b * block; id < Math.min((b + 1) * block, vocabulary); id++) {
    const logit = logits[from + id] as number;
    if (logit > largest && !never.includes(id)) largest = logit;
  }
  return largest;
}

function firstAt(logits: Float32Array, from: number, vocabulary: number, peak: number, never: readonly number[]): number {
  let id = 0;
  while (id < vocabulary && (logits[from + id] !== peak || never.includes(id))) id++;
  return id;
}

function refused(logits: Float32Array, from: number, vocabulary: number): MaskflowError {
  for (let id = 0; id < vocabulary; id++) {
    const logit = logits[from + id] as number;
    if (Number.isNaN(logit) || logit === Number.POSITIVE_INFINITY) {
      return new MaskflowError({ rule: `logits must be numbers below +∞, but that of id ${id} is not`, value: logit });
    }
  }
  return new MaskflowError({ rule: 'no token can be drawn: every id that may come has the logit −∞', value: vocabulary });
}
