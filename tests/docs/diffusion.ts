// The examples of docs/diffusion.md, one behind the other: one program. `diffusion.test.ts` runs it and compares the two files.
import { lastValueFrom, take, tap } from 'rxjs';
import {
  type Network,
  type Sampler,
  absorbing,
  absorbingCount,
  adamw,
  batch,
  beginDraws,
  blocks,
  canvas,
  chainRuleLikelihood,
  checkpoint,
  confidence,
  cosineNoise,
  countWeight,
  diffusionTime,
  diffusionWeight,
  drawToken,
  epochs,
  firstHitting,
  greedyMatch,
  labels,
  largestGumbel,
  likelihoodBound,
  loss,
  mask,
  maskedLanguage,
  memory,
  model,
  modelFolder,
  nelbo,
  networkOf,
  perplexityBound,
  pipeline,
  recipe,
  replaceWithMask,
  rootKey,
  run,
  shuffle,
  textEncoder,
  train,
  truncatedGumbel,
  unmask,
  unmaskLine,
} from 'maskflow';
import { createExecutor } from 'maskflow/backends';

// Rows of eight ids that count up from any of 0 … 8 and go on with 0 behind 8; 9 stands for what is hidden.
const maskId = 9;
const vocabulary = 10;
const rows = Array.from({ length: 576 }, (_, row) => ({
  tokens: { data: Int32Array.from({ length: 8 }, (__, i) => (row + i) % 9), shape: [8] },
}));
const encoder = textEncoder({ vocabulary, width: 48, depth: 2, positions: 8, never: [maskId] });

const counting = pipeline({ epochs: 40, batchSize: 64 }, ({ epochs: n, batchSize, out }) => {
  const sequences = memory(rows).pipe(epochs(n), shuffle(), batch(batchSize));
  const hidden = sequences.pipe(
    diffusionTime({ scope: 'batch' }), // t of each row, spread evenly over the batch
    mask(absorbing()), // each token is hidden with probability 1 − α(t)
    diffusionWeight(), // −α′ / (1 − α), here 1/t
    replaceWithMask({ maskId }),
    labels(),
  );
  return hidden.pipe(model(encoder), loss(maskedLanguage({ over: 'tokens' })), train(adamw({ learningRate: 3e-3 })), checkpoint(out('checkpoints')));
});

const { folder, step, result } = await run(counting, { name: 'counting' });
console.log('loss', result.loss, 'at best', Math.log(9) / 8);

const schedule = cosineNoise();
export const cosine = memory(rows).pipe(epochs(1), batch(64), diffusionTime(), mask(absorbing({ schedule })), diffusionWeight({ schedule }));

export const timeFree = memory(rows).pipe(
  epochs(1),
  batch(64),
  diffusionTime({ scope: 'batch', least: 0 }),
  mask(absorbingCount()),
  countWeight(),
  replaceWithMask({ maskId }),
  labels(),
);

export const padded = memory(rows).pipe(
  epochs(1),
  batch(100, { last: 'pad' }), // a column weight: 0 for rows that only fill up
  diffusionTime(),
  mask(absorbing()),
  diffusionWeight({ as: 'diffusion' }), // times weight
  replaceWithMask({ maskId }),
  labels(),
  model(encoder),
);
export const learning = padded.pipe(loss(maskedLanguage({ over: 'tokens', weight: 'diffusion' })), train(adamw()));

const trained = textEncoder({ from: modelFolder(`${folder}/checkpoints/step-${String(step).padStart(8, '0')}`), never: [maskId] });
const executor = await createExecutor({ seed: 0 });
const network = networkOf(executor, trained, { rows: 32 });

const text = { ids: Int32Array.of(3, 4, 5, 6, 7, 8, 0, 1), scored: Uint8Array.of(0, 1, 1, 1, 1, 1, 1, 1) };
const nats = await likelihoodBound(network, text, rootKey(0), { maskId, vocabulary });
console.log('given the first', nats, perplexityBound(nats, 7));
console.log('left to right', await chainRuleLikelihood(network, text, { maskId, vocabulary }));
console.log('written so', await greedyMatch(network, text, { maskId, vocabulary }));

const heldOut = memory(rows.slice(0, 9)).pipe(batch(9), nelbo(network, { maskId, vocabulary, draws: 32 }));
await lastValueFrom(
  heldOut.pipe(
    tap(({ columns }) => {
      const sum = (of: Float32Array): number => of.reduce((a, b) => a + b, 0);
      console.log('nats a token', sum(columns.nelbo.data) / sum(columns.counted.data));
    }),
  ),
);

const start = canvas([[3], []], { maskId, generate: 7 });
const states = unmask(network, confidence({ steps: 3 }), { start, maskId, vocabulary });
const shown = tap<typeof start>(({ step: at, rows: lines }) => console.log(at, ...lines.map((row) => unmaskLine(row, { textOf: String }))));
const whole = await lastValueFrom(states.pipe(shown));

const cut = await lastValueFrom(states.pipe(take(2)));
const rest = await lastValueFrom(unmask(network, confidence({ steps: 3 }), { start: cut, maskId, vocabulary }));
console.log('the same', String(rest.rows.map(({ ids }) => ids)) === String(whole.rows.map(({ ids }) => ids)));

const halves = blocks(firstHitting({ steps: 2 }), { size: 4 });
export const inBlocks = unmask(network, halves, { start: canvas([[3]], { maskId, generate: 7 }), maskId, vocabulary, seed: 1 });

export const guidedStates = unmask(network, confidence(), { start, maskId, vocabulary, guidance: 0.8 });

console.log('largest noise of 24 bits', largestGumbel(24), 'and of 53', largestGumbel(53));
console.log('cut at 0', truncatedGumbel(Float64Array.of(0.5, 0.3, 0.2), 0));

const leftToRight = ({ temperature = 1 } = {}): Sampler => ({
  recipe: recipe('mine', 'leftToRight', { temperature }),
  ask: ({ masked, time }) => ({ time, positions: Int32Array.of(masked.indexOf(1)) }),
  decide: ({ time }, seen, key) => {
    beginDraws(key);
    return { positions: seen.ask.positions, tokens: Int32Array.of(drawToken(seen, seen.from(0), temperature)), time };
  },
});
await lastValueFrom(unmask(network, leftToRight({ temperature: 0 }), { start, maskId, vocabulary }).pipe(shown));

const uniform: Network = ({ positions }) => new Float32Array(positions.length * vocabulary);
export const nonsense = unmask(uniform, firstHitting(), { start, maskId, vocabulary });

executor.dispose();
