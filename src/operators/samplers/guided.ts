// Unsupervised classifier-free guidance (Nie et al. 2024, SMDM, section 4): random masking has trained the input "prompt all hidden"
// along with all others, so the same network tells what it would say without the prompt. Twice the work of the network.
import { check, checkInteger, checkOptions } from '../../core/options.js';
import type { Network, NetworkAnswer, NetworkRequest } from './network.js';

export interface GuidedOptions {
  /** w: 0 = the network as it is, larger ones follow the prompt more. Other libraries call 1 + w the scale. */
  readonly weight: number;
  /** Id that stands for hidden tokens. */
  readonly maskId: number;
}

/**
 * (1 + w) · conditional − w · unconditional: the logits of p(x | prompt)^(1 + w) / p(x)^w. An id that is impossible (−∞) with the
 * prompt stays so; one that is impossible without it alone keeps its conditional logit.
 *
 * @returns `conditional` itself at w = 0
 *
 * @example
 * guide(Float32Array.of(2, 1, 0), Float32Array.of(1, 1.5, 0), 0.5); // [2.5, 0.75, 0]
 */
export function guide(conditional: Float32Array, unconditional: Float32Array, weight: number): Float32Array {
  if (weight === 0) return conditional;
  const guidedLogits = new Float32Array(conditional.length);
  for (let i = 0; i < guidedLogits.length; i++) {
    const [c, u] = [conditional[i] as number, unconditional[i] as number];
    guidedLogits[i] = c === u || c === Number.NEGATIVE_INFINITY || u === Number.NEGATIVE_INFINITY ? c : c + weight * (c - u);
  }
  return guidedLogits;
}

/**
 * The network under guidance: each state is asked for twice in one call, as it is and with its prompt hidden.
 *
 * @throws MaskflowError for a weight below −1, or no mask id
 *
 * @example
 * unmask(guided(network, { weight: 0.8, maskId }), confidence({ steps: 32 }), { start, maskId, vocabulary });
 */
export function guided(network: Network, options: GuidedOptions): Network {
  checkOptions('guided', options, ['weight', 'maskId']);
  const { weight, maskId } = options;
  check(typeof network === 'function', 'guided', 'network', 'must be a function of a request', network);
  check(Number.isFinite(weight) && weight >= -1, 'guided', 'weight', 'must be a finite number of at least −1', weight);
  checkInteger('guided', 'maskId', maskId, 0);
  if (weight === 0) return network;
  return async (request) => {
    const answer = await network(doubled(request, maskId));
    const { logits, kept } = answer instanceof Float32Array ? { logits: answer, kept: undefined } : answer;
    const half = logits.length / 2;
    const result: NetworkAnswer = { logits: guide(logits.subarray(0, half), logits.subarray(half), weight) };
    // What the network keeps is that of both halves, so it comes back as a pair.
    return kept === undefined ? result : { ...result, kept: Array.from({ length: request.rows }, (_, i) => [kept[i], kept[request.rows + i]]) };
  };
}

function doubled(request: NetworkRequest, maskId: number): NetworkRequest {
  const { rows, width, ids, masked, prompt, lengths, time, positions, given } = request;
  const twice = <A extends Int32Array | Uint8Array | Float64Array>(of: A): A => {
    const result = new (of.constructor as new (length: number) => A)(2 * of.length);
    result.set(of);
    result.set(of, of.length);
    return result;
  };
  const both = {
    ids: twice(ids),
    masked: twice(masked),
    positions: twice(positions),
    given: [...given.map((of) => (Array.isArray(of) ? of[0] : of)), ...given.map((of) => (Array.isArray(of) ? of[1] : of))],
  };
  for (let i = 0; i < rows * width; i++) {
    if (prompt[i] === 0) continue;
    both.ids[rows * width + i] = maskId;
    both.masked[rows * width + i] = 1;
  }
  for (let i = positions.length; i < both.positions.length; i++) both.positions[i] = (both.positions[i] as number) + rows * width;
  return { ...request, ...both, rows: 2 * rows, prompt: twice(prompt), lengths: twice(lengths), time: twice(time) };
}
