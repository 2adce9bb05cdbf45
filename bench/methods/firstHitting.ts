// First hitting against ancestral sampling on an exact network (a Markov chain of 8 symbols, 3 allowed successors, 16 tokens): network
// calls, categorical draws, time, forbidden transitions a sequence. With an exact network and one token an event there are none;
// those of ancestral sampling come from tokens that are drawn together. And whether both draw from one law: pairs of neighbours in the
// middle of a sequence, first hitting beside 1,024 ancestral steps (χ² of two samples). For a trained network see `maskedDiffusion`.
// Run: node node_modules/jiti/lib/jiti-cli.mjs bench/methods/firstHitting.ts
import { type Sampler, ancestral, canvas, countOf, firstHitting, unmask } from 'maskflow';
import { lastValueFrom, tap } from 'rxjs';
import { chainNetwork, forbidden, randomChain } from './support/markovChain.js';
import { experiment, mean } from './support/experiment.js';

const [L, rows, seeds] = [16, 1024, [0, 1, 2]];
const samplers: readonly (readonly [string, Sampler])[] = [
  ['first hitting', firstHitting()],
  ...[8, 4].flatMap((steps) =>
    (['plain', 'extrapolation', 'predictorCorrector'] as const).map(
      (variant) => [`first hitting, ${steps} steps, ${variant}`, firstHitting({ steps, variant })] as const,
    ),
  ),
  ...[8, 16, 32, 64, 256, 1024].map((steps) => [`ancestral, ${steps} steps`, ancestral({ steps })] as const),
];

/** Draws of first hitting: each token once, and again in the next step where a corrector redraws it. */
function drawnBy(name: string): number {
  const steps = Number(/(\d+) steps/.exec(name)?.[1] ?? L);
  return name.endsWith('predictorCorrector') ? 2 * L - L / steps : L;
}

const { figure, effect, end } = experiment({
  name: 'firstHitting',
  about:
    'First hitting beside ancestral sampling with the exact posterior of a Markov chain as network: calls of the network, categorical draws (of ancestral sampling without a cache), forbidden transitions (the data has none).',
  card: 'first-hitting',
  seeds,
  sizes: `Three chains of 8 symbols with 3 allowed successors, ${rows.toLocaleString('en')} sequences of ${L} tokens each.`,
});
const violationsOf = new Map<string, number[]>();
/** Counts of the pair in the middle of each sequence, a chain each. */
const pairsOf = new Map<string, Float64Array[]>();
for (const [name, sampler] of samplers) {
  const figures: { passes: number; usual: number; violations: number; pairs: Float64Array; seconds: number }[] = [];
  for (const seed of seeds) {
    const chain = randomChain(seed);
    const start = canvas(
      Array.from({ length: rows }, () => []),
      { maskId: chain.symbols, generate: L },
    );
    const begin = performance.now();
    let usual = 0;
    const network = chainNetwork(chain);
    const state = await lastValueFrom(
      unmask(network, sampler, { start, maskId: chain.symbols, vocabulary: chain.symbols, seed }).pipe(
        // What a sampler without a cache would draw: every hidden token, in every step.
        tap(({ rows: now }) => now.forEach((row) => (usual += countOf(row.masked)))),
      ),
    );
    const sum = state.rows.reduce((all, { ids }) => all + forbidden(chain, ids), 0);
    const pairs = new Float64Array(chain.symbols ** 2);
    for (const { ids } of state.rows) {
      const pair = (ids[L / 2 - 1] as number) * chain.symbols + (ids[L / 2] as number);
      pairs[pair] = (pairs[pair] as number) + 1;
    }
    figures.push({ passes: state.passes, usual: usual / rows, violations: sum / rows, pairs, seconds: (performance.now() - begin) / 1000 });
  }
  const values = (of: 'passes' | 'usual' | 'violations' | 'seconds'): number[] => figures.map((one) => one[of]);
  figure({ setting: name, quantity: 'calls', values: values('passes'), digits: 0 });
  figure({ setting: name, quantity: 'draws a sequence', values: name.startsWith('ancestral') ? values('usual') : seeds.map(() => drawnBy(name)), digits: 0 });
  figure({ setting: name, quantity: 'forbidden a sequence', values: values('violations') });
  violationsOf.set(name, values('violations'));
  // A time means something on a quiet machine alone.
  if (process.env.BENCH_QUIET === '1') figure({ setting: name, quantity: 'seconds', values: values('seconds'), digits: 2 });
  pairsOf.set(
    name,
    figures.map(({ pairs }) => pairs),
  );
}
const hitting = violationsOf.get('first hitting') as number[];
effect({
  effect: 'One token an event: no forbidden transition with an exact network, in as many calls as tokens',
  rule: 'each 0',
  values: hitting,
  shown: hitting.every((one) => one === 0),
  card: 'equal to infinitely many ancestral steps',
});
const falling = [8, 16, 32, 64, 256, 1024].map((steps) => mean(violationsOf.get(`ancestral, ${steps} steps`) as number[]));
effect({
  effect: 'Ancestral sampling gets there only with many more steps (forbidden a sequence at 16 steps, the calls of first hitting)',
  rule: 'mean > 0.1, and falling with every number of steps',
  values: violationsOf.get('ancestral, 16 steps') as number[],
  shown: (falling[1] as number) > 0.1 && falling.every((one, i) => i === 0 || one < (falling[i - 1] as number)),
  card: '.481, of which .05 the network’s own',
});
/** χ² of two samples of equal size less its degrees of freedom, in standard deviations. */
const differences = seeds.map((_, s) => {
  const [one, other] = ['first hitting', 'ancestral, 1024 steps'].map((name) => pairsOf.get(name)?.[s]) as [Float64Array, Float64Array];
  let [sum, cells] = [0, 0];
  one.forEach((count, i) => {
    const both = count + (other[i] as number);
    // Rare pairs (the forbidden ones of ancestral sampling) are not enough for a χ².
    if (both < 10) return;
    sum += (count - (other[i] as number)) ** 2 / both;
    cells++;
  });
  return (sum - (cells - 1)) / Math.sqrt(2 * (cells - 1));
});
effect({
  effect: 'Both draw neighbours from one law (χ² of pairs against 1,024 ancestral steps, in standard deviations from its mean)',
  rule: 'each below 3.5',
  values: differences,
  shown: differences.every((one) => one < 3.5),
  card: 'equal',
  digits: 1,
});
for (const variant of ['extrapolation', 'predictorCorrector'] as const) {
  const of = (name: string): number[] => violationsOf.get(`first hitting, 8 steps, ${name}`) as number[];
  const gains = of('plain').map((one, s) => one - (of(variant)[s] as number));
  effect({
    effect: `Second order, ${variant}: fewer forbidden transitions than the plain parallel sampler at 8 steps (difference a sequence)`,
    rule: 'each > 0',
    values: gains,
    shown: gains.every((one) => one > 0),
    card: 'figures of the paper not readable',
  });
}
end();
