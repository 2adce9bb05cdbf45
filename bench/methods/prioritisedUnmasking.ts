// Prioritised unmasking (first-hitting card, experiment b): with uniforms of 24 bits, ancestral sampling by Gumbel-max unmasks a
// position with a peaked law earlier than one with a flat law, although the process gives all hidden positions the same hazard. By the
// closed form of truncated noise, exact; and drawn by our sampler.
// Run: node node_modules/jiti/lib/jiti-cli.mjs bench/methods/prioritisedUnmasking.ts [--all]
import { ancestral, canvas, unmask } from 'maskflow';
import { lastValueFrom, tap } from 'rxjs';
import { ancestralLaw } from './support/ancestralLaw.js';
import { experiment } from './support/experiment.js';

const V = 1000;
const seeds = [0, 1, 2];
// A step of the closed form sorts the vocabulary: the card's 50,000 take two minutes and come with --all.
const allSteps = process.argv.includes('--all') ? [5000, 50_000] : [5000];
const peaked = new Float64Array(V).fill(0.03 / (V - 1));
peaked[0] = 0.97;
const flat = new Float64Array(V).fill(1 / V);

const { figure, effect, end } = experiment({
  name: 'prioritisedUnmasking',
  about:
    'When ancestral sampling unmasks a peaked position (0.97 on one token) and a flat one, as mean step over the number of steps; 0.5 for both is right. By the closed form for noise of 24 and 53 bits, and drawn by our sampler.',
  card: 'first-hitting',
  seeds,
  sizes: `Vocabulary 1,000; ${allSteps.map((n) => n.toLocaleString('en')).join(' and ')} steps by the closed form; 2,000 positions of each kind drawn in 1,000 steps.`,
});

let [whenPeaked, whenFlat] = [0, 0];
for (const steps of allSteps) {
  for (const bits of [24, 53]) {
    [whenPeaked, whenFlat] = [ancestralLaw(peaked, steps, bits).when, ancestralLaw(flat, steps, bits).when];
    const setting = `closed form, ${bits} bits, ${steps.toLocaleString('en')} steps`;
    const card = bits === 53 ? ['.5', '.5'] : steps === 50_000 ? ['.508', '.805'] : [];
    figure({ setting, quantity: 'peaked position', values: [whenPeaked], card: card[0] });
    figure({ setting, quantity: 'flat position', values: [whenFlat], card: card[1] });
    if (bits === 24) {
      const largest = steps === allSteps.at(-1);
      if (!largest) continue;
      effect({
        effect: 'Noise of 24 bits unmasks flat positions later than peaked ones (difference of mean step / steps)',
        rule: 'difference > 0.02',
        values: [whenFlat - whenPeaked],
        shown: whenFlat - whenPeaked > 0.02,
        card: steps === 50_000 ? '.297' : '.297 at 50,000 steps',
      });
    }
  }
}

const [steps, rows] = [1000, 100];
const drawn: [number, number][] = [];
for (const seed of seeds) {
  // Even positions are peaked, odd ones flat; 20 of each a row.
  const network = ({ width, positions }: { readonly width: number; readonly positions: Int32Array }): Float32Array => {
    const logits = new Float32Array(positions.length * V);
    positions.forEach((position, k) => {
      if ((position % width) % 2 === 0) logits[k * V] = Math.log((0.97 * (V - 1)) / 0.03);
    });
    return logits;
  };
  const start = canvas(
    Array.from({ length: rows }, () => []),
    { maskId: V, generate: 40 },
  );
  const sums = [0, 0];
  const before = start.rows.map(({ masked }) => masked);
  await lastValueFrom(
    unmask(network, ancestral({ steps }), { start, maskId: V, vocabulary: V, seed }).pipe(
      tap(({ step, rows: now }) => {
        now.forEach(({ masked }, r) => {
          if (masked === before[r]) return;
          masked.forEach((one, i) => {
            if (one === 0 && before[r]?.[i] === 1) sums[i % 2] = (sums[i % 2] as number) + step / steps;
          });
          before[r] = masked;
        });
      }),
    ),
  );
  drawn.push([(sums[0] as number) / (20 * rows), (sums[1] as number) / (20 * rows)]);
}
const setting = `our sampler, drawn, ${steps.toLocaleString('en')} steps`;
figure({ setting, quantity: 'peaked position', values: drawn.map(([one]) => one), card: '.5' });
figure({ setting, quantity: 'flat position', values: drawn.map(([, one]) => one), card: '.5' });
const differences = drawn.map(([one, other]) => other - one);
effect({
  effect: 'Our sampler unmasks both alike (difference of mean step / steps)',
  // The standard error of a seed's difference is 0.289 · √(2 / 2,000) = 0.009.
  rule: '|each| < 0.04',
  values: differences,
  shown: differences.every((one) => Math.abs(one) < 0.04),
  card: '0',
});
end();
