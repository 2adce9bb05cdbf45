// An exact network for measurements without training: the posterior of an order-1 Markov chain given the visible tokens, by the
// forward-backward algorithm. With it, every forbidden transition in a sample is the sampler's own doing.
import { Draws, type Network, fold, rootKey } from 'maskflow';

export interface MarkovChain {
  readonly symbols: number;
  /** Probability of each first symbol. */
  readonly initial: Float64Array;
  /** Row-major [symbols, symbols]: probability of the next one. */
  readonly transition: Float64Array;
}

/** `symbols` symbols with `successors` allowed ones each, weights Dirichlet(2); the first symbol is uniform. */
export function randomChain(seed: number, symbols = 8, successors = 3): MarkovChain {
  const draws = new Draws(fold(rootKey(seed), 'markovChain'));
  const transition = new Float64Array(symbols * symbols);
  for (let from = 0; from < symbols; from++) {
    // A Gamma(2) is the sum of two exponentials.
    const weights = Array.from({ length: successors }, () => -Math.log(1 - draws.uniform()) - Math.log(1 - draws.uniform()));
    const sum = weights.reduce((a, b) => a + b, 0);
    draws.choice(symbols, successors).forEach((to, i) => {
      transition[from * symbols + to] = (weights[i] as number) / sum;
    });
  }
  return { symbols, initial: new Float64Array(symbols).fill(1 / symbols), transition };
}

/**
 * Logits ln p(token | all other visible tokens) at the wanted positions, of visible ones too, as if they were hidden; the mask id is
 * `symbols`. A state that the chain cannot make gives uniform logits.
 */
export function chainNetwork({ symbols: S, initial, transition }: MarkovChain): Network {
  return ({ rows, width, ids, lengths, positions }) => {
    const logits = new Float32Array(positions.length * S);
    let at = 0;
    for (let row = 0; row < rows; row++) {
      const L = lengths[row] as number;
      const end = (row + 1) * width;
      if (at >= positions.length || (positions[at] as number) >= end) continue;
      const token = (i: number): number => ids[row * width + i] as number;
      const [predicted, ahead, behind] = [new Float64Array(L * S), new Float64Array(L * S), new Float64Array(L * S).fill(1)];
      // Each pass is normalised: only ratios within a position matter.
      for (let i = 0; i < L; i++) {
        let sum = 0;
        for (let s = 0; s < S; s++) {
          let p = i === 0 ? (initial[s] as number) : 0;
          if (i > 0) for (let r = 0; r < S; r++) p += (ahead[(i - 1) * S + r] as number) * (transition[r * S + s] as number);
          predicted[i * S + s] = p;
          if (token(i) !== S && token(i) !== s) p = 0;
          ahead[i * S + s] = p;
          sum += p;
        }
        for (let s = 0; s < S; s++) ahead[i * S + s] = sum === 0 ? 1 / S : (ahead[i * S + s] as number) / sum;
      }
      for (let i = L - 2; i >= 0; i--) {
        let sum = 0;
        for (let s = 0; s < S; s++) {
          let p = 0;
          for (let r = 0; r < S; r++) {
            if (token(i + 1) !== S && token(i + 1) !== r) continue;
            p += (transition[s * S + r] as number) * (behind[(i + 1) * S + r] as number);
          }
          behind[i * S + s] = p;
          sum += p;
        }
        for (let s = 0; s < S; s++) behind[i * S + s] = sum === 0 ? 1 / S : (behind[i * S + s] as number) / sum;
      }
      for (; at < positions.length && (positions[at] as number) < end; at++) {
        const i = (positions[at] as number) - row * width;
        let total = 0;
        for (let s = 0; s < S; s++) total += (predicted[i * S + s] as number) * (behind[i * S + s] as number);
        for (let s = 0; s < S; s++) {
          const p = (predicted[i * S + s] as number) * (behind[i * S + s] as number);
          logits[at * S + s] = total === 0 ? 0 : Math.log(p / total);
        }
      }
    }
    return logits;
  };
}

/** Transitions of probability 0 in a sequence. */
export function forbidden({ symbols, transition }: MarkovChain, ids: Int32Array): number {
  let count = 0;
  for (let i = 1; i < ids.length; i++) if (transition[(ids[i - 1] as number) * symbols + (ids[i] as number)] === 0) count++;
  return count;
}

/** One sequence of a chain. */
export function drawChain({ symbols, initial, transition }: MarkovChain, length: number, draws: Draws): number[] {
  const drawn = (weights: Float64Array): number => {
    let left = draws.uniform();
    for (let i = 0; i < symbols; i++) {
      left -= weights[i] as number;
      if (left < 0) return i;
    }
    // Rounding: the last one that can be.
    return weights.findLastIndex((weight) => weight > 0);
  };
  const sequence = [drawn(initial)];
  while (sequence.length < length) {
    const from = sequence.at(-1) as number;
    sequence.push(drawn(transition.subarray(from * symbols, (from + 1) * symbols)));
  }
  return sequence;
}

/** Entropy in nats of sequences of a length. */
export function chainEntropy({ symbols, initial, transition }: MarkovChain, length: number): number {
  const entropyOf = (weights: Float64Array): number => weights.reduce((sum, p) => (p > 0 ? sum - p * Math.log(p) : sum), 0);
  let now = initial;
  let entropy = entropyOf(initial);
  for (let i = 1; i < length; i++) {
    const next = new Float64Array(symbols);
    now.forEach((p, from) => {
      const row = transition.subarray(from * symbols, (from + 1) * symbols);
      entropy += p * entropyOf(row);
      row.forEach((q, to) => {
        next[to] = (next[to] as number) + p * q;
      });
    });
    now = next;
  }
  return entropy;
}

/** −ln p of a sequence in nats. */
export function chainSurprisal({ symbols, initial, transition }: MarkovChain, sequence: ArrayLike<number>): number {
  let nats = -Math.log(initial[sequence[0] as number] as number);
  for (let i = 1; i < sequence.length; i++) nats -= Math.log(transition[(sequence[i - 1] as number) * symbols + (sequence[i] as number)] as number);
  return nats;
}
