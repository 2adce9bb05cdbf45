// Unsupervised classifier-free guidance on the pocket problem of SMDM: keys of 3 tokens, values of 2 from 12 symbols, each the fixed
// entry of a random table with probability .6, else from a skewed prior that swamps an under-trained conditional. Exact matches with
// the table over all 200 keys, greedy in 2 steps, by guidance weight w; a small text encoder trained here, three seeds.
// Run: node node_modules/jiti/lib/jiti-cli.mjs bench/methods/guidance.ts [--steps 2000,2500,3000]
import {
  type Batch,
  Draws,
  type Integers,
  type TextEncoderOutput,
  absorbing,
  adamw,
  canvas,
  confidence,
  diffusionTime,
  diffusionWeight,
  fold,
  labels,
  loss,
  mask,
  maskedLanguage,
  model,
  networkOf,
  replaceWithMask,
  rootKey,
  textEncoder,
  unmask,
} from 'maskflow';
import { createExecutor } from 'maskflow/backends';
import { firstValueFrom, lastValueFrom, of } from 'rxjs';
import { printTable } from './printTable.js';

const [first, second, third, values] = [10, 10, 2, 12];
const vocabulary = first + second + third + values + 1;
const maskId = vocabulary - 1;
const weights = [0, 0.2, 0.5, 1, 2, 4];
const at = process.argv.indexOf('--steps');
const marks = (at < 0 ? '2000,2500,3000' : (process.argv[at + 1] as string)).split(',').map(Number);
const seeds = [0, 1, 2];
const width = 48;

const keys = Array.from({ length: first * second * third }, (_, n) => [
  n % first,
  first + (Math.floor(n / first) % second),
  first + second + Math.floor(n / (first * second)),
]);
const valueId = (symbol: number): number => first + second + third + symbol;

/** Exact matches by mark and weight. */
async function trained(seed: number): Promise<number[][]> {
  const draws = new Draws(fold(rootKey(seed), 'guidance'));
  const table = keys.map(() => [draws.integer(values), draws.integer(values)]);
  const skewed = (): number => (draws.uniform() < 0.5 ? 0 : 1 + draws.integer(values - 1));
  let id = 0;
  const batch = (rows: number): Batch<{ tokens: Integers }> => {
    const data = new Int32Array(5 * rows);
    for (let row = 0; row < rows; row++) {
      const n = draws.integer(keys.length);
      const value = (table[n] as number[]).map((symbol) => valueId(draws.uniform() < 0.6 ? symbol : skewed()));
      data.set([...(keys[n] as number[]), ...value], 5 * row);
    }
    const origins = Array.from({ length: rows }, () => ({ source: 0, id: id++, epoch: 0, position: id }));
    return { rows, columns: { tokens: { data, shape: [rows, 5] } }, origins, program: undefined };
  };
  const executor = await createExecutor({ seed });
  const network = textEncoder({
    architecture: 'modern',
    vocabulary,
    width,
    depth: 2,
    heads: 4,
    positions: 5,
    never: [maskId],
    initializerRange: Math.sqrt(2 / (5 * width)),
  });
  // Made once, so that all batches share one program.
  const [time, hide, weigh, corrupted, targets] = [diffusionTime(), mask(absorbing()), diffusionWeight(), replaceWithMask({ maskId }), labels()];
  const [attach, term] = [model<{ readonly tokens: Integers }, TextEncoderOutput>(network), loss(maskedLanguage({ over: 'tokens' }))];
  const optimizer = adamw({ weightDecay: 0 });
  const last = Math.max(...marks);
  const result: number[][] = [];
  for (let step = 1; step <= last; step++) {
    const described = await firstValueFrom(of(batch(128)).pipe(time, hide, weigh, corrupted, targets).pipe(attach, term));
    await executor.step(described.program, described, optimizer, { learningRate: 2e-3, step }, {});
    if (!marks.includes(step)) continue;
    const start = canvas(keys, { maskId, generate: 2 });
    const scores: number[] = [];
    for (const guidance of weights) {
      const state = await lastValueFrom(unmask(networkOf(executor, network), confidence({ steps: 2 }), { start, maskId, vocabulary, guidance, seed }));
      const right = state.rows.filter(({ ids }, n) => (table[n] as number[]).every((symbol, i) => ids[3 + i] === valueId(symbol)));
      scores.push(right.length / keys.length);
    }
    result.push(scores);
    console.error(`seed ${seed}, step ${step}: ${scores.join(' ')}`);
  }
  executor.dispose();
  return result;
}

const all: number[][][] = [];
for (const seed of seeds) all.push(await trained(seed));
printTable(
  ['steps', ...weights.map((w) => `w = ${w}`)],
  marks.map((mark, m) => [
    String(mark),
    ...weights.map((_, w) => {
      const of = all.map((seed) => seed[m]?.[w] as number);
      return `${(of.reduce((a, b) => a + b, 0) / of.length).toFixed(3)} (${Math.min(...of).toFixed(3)}–${Math.max(...of).toFixed(3)})`;
    }),
  ]),
);
