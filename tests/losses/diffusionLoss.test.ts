// The two forms of masked diffusion's loss through whole runs: one of them, and never both.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Observable } from 'rxjs';
import { afterAll, describe, expect, it } from 'vitest';
import type { Batch, Column } from '../../src/core/batch.js';
import { pipeline } from '../../src/core/pipeline.js';
import { maskedLanguage } from '../../src/losses/maskedLanguage.js';
import { textEncoder } from '../../src/models/textEncoder.js';
import {
  absorbing,
  absorbingCount,
  batch,
  countWeight,
  diffusionTime,
  diffusionWeight,
  epochs,
  labels,
  loss,
  mask,
  model,
  replaceWithMask,
} from '../../src/operators/index.js';
import { sgd } from '../../src/optimizers/sgd.js';
import { run } from '../../src/run/run.js';
import { train } from '../../src/sinks/train.js';
import { memory } from '../../src/sources/memory.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-diffusion-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

const vocabulary = 8;
const encoder = textEncoder({ vocabulary, width: 8, depth: 0, heads: 1, positions: 8, initializerRange: 1e-6 });
type Sentences = Observable<Batch<{ readonly tokens: Column<Int32Array> }>>;
function sentences(last: 'keep' | 'pad' = 'keep'): Sentences {
  const samples = Array.from({ length: 60 }, (_, id) => ({
    tokens: { data: Int32Array.from({ length: 8 }, (__, i) => 1 + ((id + i) % 7)), shape: [8] } as Column<Int32Array>,
  }));
  return memory(samples).pipe(epochs(1), batch(64, { last: last as 'keep' })) as unknown as Sentences;
}
/** One step of the chain; its loss. */
async function lossOf(chain: () => Observable<unknown>): Promise<number> {
  const { result } = await run(
    pipeline({}, () => chain()),
    { name: 'diffusion', backend: 'cpu', out: join(root, String(folders++)) },
  );
  return result.loss as number;
}
const inLn8 = (nats: number): number => nats / Math.log(vocabulary);
const still = () => train(sgd({ learningRate: 1e-6 }));
const hidden = [replaceWithMask({ maskId: 0 }), labels()] as const;

describe('the loss of masked diffusion', () => {
  it('weighted by time is refused over asked tokens, and a bound over all', async () => {
    const timed = () => sentences().pipe(diffusionTime({ scope: 'batch' }), mask(absorbing()), diffusionWeight(), ...hidden, model(encoder));
    await expect(lossOf(() => timed().pipe(loss(maskedLanguage()), still()))).rejects.toThrow(
      'maskedLanguage.over: the batch has times of a diffusion and a column weight',
    );
    // A network that knows nothing gives ln V in expectation. One standard deviation over 60 rows is about 0.1: 4 of them, 1 run in 15,000.
    expect(Math.abs(inLn8(await lossOf(() => timed().pipe(loss(maskedLanguage({ over: 'tokens' })), still()))) - 1)).toBeLessThan(0.4);
  });

  it('in its time-free form is ln V exactly for a network that knows nothing', async () => {
    const counted = () => sentences().pipe(diffusionTime({ scope: 'batch', least: 0 }), mask(absorbingCount()), countWeight(), ...hidden, model(encoder));
    expect(inLn8(await lossOf(() => counted().pipe(loss(maskedLanguage({ over: 'tokens' })), still())))).toBeCloseTo(1, 4);
    await expect(lossOf(() => counted().pipe(loss(maskedLanguage()), still()))).rejects.toThrow('maskedLanguage.over');
  });

  it('unweighted is the mean over hidden tokens', async () => {
    const plain = () => sentences().pipe(diffusionTime(), mask(absorbing()), ...hidden, model(encoder), loss(maskedLanguage()), still());
    expect(inLn8(await lossOf(plain))).toBeCloseTo(1, 4);
  });

  it('stands beside weights of rows that only fill up a batch, under a name of its own', async () => {
    const padded = (names: { as: string; weight: string }) => () =>
      sentences('pad').pipe(
        diffusionTime({ scope: 'batch', least: 0 }),
        mask(absorbingCount()),
        countWeight({ as: names.as as 'diffusion' }),
        ...hidden,
        model(encoder),
        loss(maskedLanguage({ over: 'tokens', weight: names.weight })),
        still(),
      );
    expect(inLn8(await lossOf(padded({ as: 'diffusion', weight: 'diffusion' })))).toBeCloseTo(1, 4);
    await expect(lossOf(padded({ as: 'diffusion', weight: 'diffuson' }))).rejects.toThrow(
      'maskedLanguage.weight: must name a column of weights; got "diffuson"',
    );
    await expect(lossOf(padded({ as: 'weight', weight: 'weight' }))).rejects.toThrow('countWeight.weight: the batch has a column weight already');
  });
});
