// What 24-bit uniforms do to ancestral sampling by Gumbel-max, "stay hidden" among the classes: entropy (nats) of a position's tokens
// under Zipf's law, and the mass of the rarer half of the vocabulary over its true one, by the closed form of truncated noise (first-
// hitting card, experiment a). Exact but for the last setting, which our sampler draws over three seeds.
// Run: node node_modules/jiti/lib/jiti-cli.mjs bench/methods/gumbelTruncation.ts [--all]
import { ancestral, canvas, unmask } from 'maskflow';
import { lastValueFrom } from 'rxjs';
import { ancestralLaw } from './support/ancestralLaw.js';
import { experiment } from './support/experiment.js';

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

// Each step sorts the vocabulary: the large settings take minutes and come with --all.
const all = process.argv.includes('--all');
const seeds = [0, 1, 2];
const settings: readonly (readonly [number, readonly number[]])[] = [
  [1000, all ? [64, 1024, 10_000, 50_000] : [64, 1024]],
  [50_257, all ? [64, 1024, 4096] : [64]],
];
/** The card's entropy and rarer half by vocabulary and steps. */
const cards: Readonly<Record<string, readonly [string, string]>> = {
  '1000 exact': ['5.191', '1'],
  '1000 64': ['5.186', '.99'],
  '1000 1024': ['5.112', '.88'],
  '1000 10000': ['4.669', '.40'],
  '1000 50000': ['4.053', '.15'],
  '50257 exact': ['7.566', '1'],
  '50257 64': ['7.214', '.55'],
  '50257 1024': ['6.101', '.08'],
  '50257 4096': ['5.455', '.04'],
};
const { figure, effect, end } = experiment({
  name: 'gumbelTruncation',
  about:
    "What uniforms of 24 bits do to ancestral sampling by Gumbel-max, 'stay hidden' among the classes: entropy of a position's tokens under Zipf's law, and the mass of the rarer half of the vocabulary over its true one.",
  card: 'first-hitting',
  seeds,
  sizes: 'Closed form, but for the last setting: 100,000 tokens a seed by our sampler.',
});
const told = (n: number): string => n.toLocaleString('en');
const report = (setting: string, entropies: readonly number[], halves: readonly number[], card: readonly [string, string] | undefined): void => {
  figure({ setting, quantity: 'entropy, nats', values: entropies, card: card?.[0] });
  figure({ setting, quantity: 'rarer half', values: halves, card: card?.[1], digits: 2 });
};

const lost = new Map<string, number>();
for (const [V, stepsOf] of settings) {
  const p = zipf(V);
  report(`V = ${told(V)}, exact`, [entropyOf(p)], [1], cards[`${V} exact`]);
  for (const steps of stepsOf) {
    for (const bits of [24, 53]) {
      if (bits === 53 && (V > 1000 || steps > 1024)) continue;
      const { law } = ancestralLaw(p, steps, bits);
      const card = bits === 24 ? cards[`${V} ${steps}`] : cards[`${V} exact`];
      report(`V = ${told(V)}, ${told(steps)} steps, ${bits} bits`, [entropyOf(law)], [rare(law) / rare(p)], card);
      if (bits === 24) lost.set(`${V} ${steps}`, entropyOf(p) - entropyOf(law));
    }
  }
}
const wide = lost.get('50257 64') as number;
effect({
  effect: 'Noise of 24 bits lowers the entropy of what is drawn (nats lost, V = 50,257, 64 steps)',
  rule: '> 0.2',
  values: [wide],
  shown: wide > 0.2,
  card: '.352',
});

const p = zipf(1000);
const logits = Float32Array.from(p, Math.log);
const ours = [];
for (const seed of seeds) {
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
  ours.push({ entropy: entropyOf(law), half: rare(law) / rare(p) });
}
report(
  'V = 1,000, 1,024 steps, our sampler, drawn',
  ours.map(({ entropy }) => entropy),
  ours.map(({ half }) => half),
  cards['1000 exact'],
);
const halves = ours.map(({ half }) => half);
effect({
  effect: 'Our sampler loses nothing (mass of the rarer half over its true one, V = 1,000, 1,024 steps)',
  // The standard error of a seed is √(0.09 · 0.91 / 100,000) / 0.09 = 0.01; 24 bits would give 0.88.
  rule: 'each in 0.96 to 1.04',
  values: halves,
  shown: halves.every((half) => half > 0.96 && half < 1.04),
  card: '1',
});
end();
