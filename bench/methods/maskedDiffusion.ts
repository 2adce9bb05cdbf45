// The pocket problem of masked diffusion: a Markov chain of 8 symbols with 3 allowed successors, sequences of 16, learnt by a small
// text encoder in the time-free form; then forbidden transitions of samples by the number of tokens that are drawn at once
// (masked-diffusion card), and of first hitting beside ancestral sampling (first-hitting card, experiment c). A perfect network
// would make none one token at a time; what is drawn together is drawn independently.
// Run: node node_modules/jiti/lib/jiti-cli.mjs bench/methods/maskedDiffusion.ts [--all]
import {
  type Sampler,
  type TextEncoderOutput,
  type Program,
  Draws,
  absorbingCount,
  ancestral,
  canvas,
  countWeight,
  diffusionTime,
  firstHitting,
  fold,
  labels,
  likelihoodBound,
  mask,
  networkOf,
  randomOrder,
  replaceWithMask,
  rootKey,
  textEncoder,
  unmask,
} from 'maskflow';
import { lastValueFrom, pipe } from 'rxjs';
import { experiment, mean } from './support/experiment.js';
import { type MarkovChain, chainEntropy, chainSurprisal, drawChain, forbidden, randomChain } from './support/markovChain.js';
import { textBatch } from './support/textBatch.js';
import { type Stages, trainer } from './support/trainer.js';

const [L, batchSize, steps, samples, heldOut] = [16, 64, 4000, 512, 200];
const seeds = [0, 1, 2];
const symbols = 8;
const maskId = symbols;
const ancestralSteps = process.argv.includes('--all') ? [8, 16, 32, 64, 256, 1024] : [8, 16, 32, 64];
const cards: Readonly<Record<string, string>> = {
  'random order, 1 token a step': '.05',
  'random order, 2 tokens a step': '.46 to .49',
  'random order, 4 tokens a step': '1.45',
  'random order, 8 tokens a step': '3.4',
  'first hitting': '.048',
  'ancestral, 8 steps': '.911',
  'ancestral, 16 steps': '.481',
  'ancestral, 32 steps': '.236',
  'ancestral, 64 steps': '.142',
  'ancestral, 256 steps': '.071',
  'ancestral, 1024 steps': '.052',
};
const samplers: readonly (readonly [string, Sampler])[] = [
  ...[1, 2, 4, 8].map((n) => [`random order, ${n} token${n === 1 ? '' : 's'} a step`, randomOrder({ steps: L / n })] as const),
  ['first hitting', firstHitting()],
  ...ancestralSteps.map((n) => [`ancestral, ${n} steps`, ancestral({ steps: n })] as const),
];
const stages = pipe(
  diffusionTime({ scope: 'batch', least: 0 }) as unknown as Stages,
  mask(absorbingCount()) as unknown as Stages,
  countWeight() as unknown as Stages,
  replaceWithMask({ maskId }) as unknown as Stages,
  labels() as unknown as Stages,
);

const { figure, effect, end } = experiment({
  name: 'maskedDiffusion',
  about: 'A Markov chain learnt by masked diffusion: nats a token, and forbidden transitions a sampled sequence (the data has none) by sampler.',
  card: 'masked-diffusion, first-hitting',
  seeds,
  sizes: `Chains of ${symbols} symbols with 3 allowed successors, length ${L}; text encoder of width 48 and 2 blocks, time-free loss, batch ${batchSize}, ${steps.toLocaleString('en')} steps; ${samples} samples.`,
});

interface Found {
  readonly bound: number;
  /** −ln p of the same sequences under the chain itself. */
  readonly exact: number;
  readonly entropy: number;
  readonly violations: readonly number[];
}
async function trained(seed: number, chain: MarkovChain): Promise<Found> {
  const encoder = textEncoder({ vocabulary: symbols + 1, width: 48, depth: 2, heads: 4, positions: L, never: [maskId], initializerRange: 0.1 });
  const { step, executor } = await trainer(encoder, { seed, over: 'tokens', cosine: steps });
  const draws = new Draws(fold(rootKey(seed), 'maskedDiffusion'));
  const some = (): number[] => drawChain(chain, L, draws);
  for (let n = 0; n < steps; n++) {
    const rows = Array.from({ length: batchSize }, (_, i) => ({ ids: some(), id: n * batchSize + i }));
    await step(
      textBatch(rows, L, () => false),
      stages,
    );
  }
  const network = networkOf(executor, encoder as Program<TextEncoderOutput>, { rows: 128 });
  let [bound, exact] = [0, 0];
  for (let n = 0; n < heldOut; n++) {
    const sequence = some();
    exact += chainSurprisal(chain, sequence) / L / heldOut;
    const text = { ids: Int32Array.from(sequence), scored: new Uint8Array(L).fill(1) };
    bound += (await likelihoodBound(network, text, fold(rootKey(seed), n), { maskId, vocabulary: symbols + 1, draws: 128, batchSize: 128 })) / L / heldOut;
  }
  const violations: number[] = [];
  for (const [, sampler] of samplers) {
    const start = canvas(
      Array.from({ length: samples }, () => []),
      { maskId, generate: L },
    );
    const state = await lastValueFrom(unmask(network, sampler, { start, maskId, vocabulary: symbols + 1, seed }));
    violations.push(state.rows.reduce((sum, { ids }) => sum + forbidden(chain, ids), 0) / samples);
  }
  executor.dispose();
  return { bound, exact, entropy: chainEntropy(chain, L) / L, violations };
}

const found: Found[] = [];
for (const seed of seeds) found.push(await trained(seed, randomChain(seed)));
figure({ setting: 'held-out sequences', quantity: 'bound, nats a token', values: found.map(({ bound }) => bound), card: '1.045' });
figure({ setting: 'held-out sequences', quantity: 'exact −ln p of the same', values: found.map(({ exact }) => exact) });
figure({ setting: 'held-out sequences', quantity: 'entropy of the chain', values: found.map(({ entropy }) => entropy), card: '1.037' });
const of = (name: string): number[] => found.map(({ violations }) => violations[samplers.findIndex(([one]) => one === name)] as number);
for (const [name] of samplers) figure({ setting: name, quantity: 'forbidden a sequence', values: of(name), card: cards[name] });

const over = found.map(({ bound, exact }) => bound - exact);
effect({
  effect: 'The bound comes close to the exact −ln p (nats a token above it)',
  rule: 'each < 0.03',
  values: over,
  shown: over.every((one) => one < 0.03),
  card: '.008',
});
const curve = [1, 2, 4, 8].map((n) => mean(of(`random order, ${n} token${n === 1 ? '' : 's'} a step`)));
effect({
  effect: 'The more tokens are drawn at once, the more transitions are forbidden (2 tokens a step less 1)',
  rule: 'mean > 0.2, and rising from 1 to 2, 4 and 8 tokens',
  values: of('random order, 2 tokens a step').map((two, s) => two - (of('random order, 1 token a step')[s] as number)),
  shown: (curve[1] as number) - (curve[0] as number) > 0.2 && curve.every((one, i) => i === 0 || one > (curve[i - 1] as number)),
  card: '.41 to .44',
});
const saved = of('ancestral, 16 steps').map((one, s) => one - (of('first hitting')[s] as number));
effect({
  effect: 'First hitting makes fewer forbidden transitions than ancestral sampling in as many calls (16; difference a sequence)',
  rule: 'each > 0',
  values: saved,
  shown: saved.every((one) => one > 0),
  card: '.433',
});
end();
