// What 24-bit uniforms do to ancestral sampling by Gumbel-max, "stay hidden" among the classes: entropy (nats) of a position's tokens
// under Zipf's law, and the mass of the rarer half of the vocabulary over its true one, by the closed form of truncated noise; and
// when a peaked and a flat position are unmasked (prioritised unmasking). Exact but for the last line of the first table, which is
// drawn by our sampler over three seeds. Run: node node_modules/jiti/lib/jiti-cli.mjs bench/methods/gumbelTruncation.ts [--all]
import { ancestral, canvas, largestGumbel, truncatedGumbel, unmask } from 'maskflow';
import { lastValueFrom } from 'rxjs';
import { printTable } from './printTable.js';

const zipf = (V: number): Float64Array => {
  const weights = Float64Array.from({ length: V }, (_, i) => 1 / (i + 1));
  const sum = weights.reduce((a, b) => a + b, 0);
  return weights.map((weight) => weight / sum);
};
const entropyOf = (p: Float64Array): number => {
  const sum = p.reduce((a, b) => a + b, 0);
  return p.reduce((total, q) => (q > 0 ? total - (q / sum) * Math.log(q / sum) : total), 0);
};
const rare = (p: Float64Array): number => p.subarray(p.length >> 1).reduce((a, b) => a + b, 0);

/** The law of one position's token, and its mean step / N, where the noise of every draw is cut at that of so many bits. */
function ancestralLaw(p: Float64Array, steps: number, bits: number): { law: Float64Array; when: number } {
  const cut = largestGumbel(bits);
  const law = new Float64Array(p.length);
  const classes = new Float64Array(p.length + 1);
  let [hidden, when] = [1, 0];
  for (let step = 0; step < steps; step++) {
    const leave = 1 / (steps - step);
    for (let i = 0; i < p.length; i++) classes[i] = (p[i] as number) * leave;
    classes[p.length] = 1 - leave;
    // Nothing stays hidden in the last step: the draw is among tokens alone.
    const drawn = step === steps - 1 ? truncatedGumbel(p, cut) : truncatedGumbel(classes, cut);
    const stay = step === steps - 1 ? 0 : (drawn[p.length] as number);
    for (let i = 0; i < p.length; i++) law[i] = (law[i] as number) + hidden * (drawn[i] as number);
    when += (hidden * (1 - stay) * (step + 1)) / steps;
    hidden *= stay;
  }
  return { law, when };
}

// Each step sorts the vocabulary: the large settings take minutes and come with --all.
const all = process.argv.includes('--all');
const settings: readonly (readonly [number, readonly number[]])[] = [
  [1000, all ? [64, 1024, 10_000, 50_000] : [64, 1024]],
  [50_257, all ? [64, 1024, 4096] : [64]],
];
const table: string[][] = [];
for (const [V, stepsOf] of settings) {
  const p = zipf(V);
  table.push([String(V), 'any', 'exact', entropyOf(p).toFixed(3), '1.00']);
  for (const steps of stepsOf) {
    for (const bits of [24, 53]) {
      if (bits === 53 && V > 1000) continue;
      const { law } = ancestralLaw(p, steps, bits);
      table.push([String(V), String(steps), `${bits} bits`, entropyOf(law).toFixed(3), (rare(law) / rare(p)).toFixed(2)]);
    }
  }
}
const p = zipf(1000);
const logits = Float32Array.from(p, Math.log);
for (const seed of [0, 1, 2]) {
  const start = canvas(
    Array.from({ length: 100 }, () => []),
    { maskId: 1000, generate: 1000 },
  );
  const network = ({ positions }: { readonly positions: Int32Array }): Float32Array => {
    const answer = new Float32Array(positions.length * 1000);
    for (let k = 0; k < positions.length; k++) answer.set(logits, 1000 * k);
    return answer;
  };
  const state = await lastValueFrom(unmask(network, ancestral({ steps: 1024 }), { start, maskId: 1000, vocabulary: 1000, seed }));
  const law = new Float64Array(1000);
  for (const { ids } of state.rows) for (const id of ids) law[id] = (law[id] as number) + 1e-5;
  table.push(['1000', '1024', `ours, 100,000 tokens drawn, seed ${seed}`, entropyOf(law).toFixed(3), (rare(law) / rare(p)).toFixed(2)]);
}
printTable(['V', 'steps', 'noise', 'entropy', 'rarer half'], table);

console.log('');
const peaked = new Float64Array(1000).fill(0.03 / 999);
peaked[0] = 0.97;
const flat = new Float64Array(1000).fill(1 / 1000);
const steps = all ? 50_000 : 5000;
printTable(
  ['noise', 'steps', 'peaked position: mean step / N', 'flat position'],
  [24, 53].map((bits) => [`${bits} bits`, String(steps), ancestralLaw(peaked, steps, bits).when.toFixed(3), ancestralLaw(flat, steps, bits).when.toFixed(3)]),
);
