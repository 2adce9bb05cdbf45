// A small text model's run folder, as a chain leaves it: checkpoints, and a tokenizer that the recipe names.
import { mkdirSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { pipeline } from '../../src/core/pipeline.js';
import { maskedLanguage } from '../../src/losses/maskedLanguage.js';
import { textEncoder } from '../../src/models/textEncoder.js';
import type { TextEncoderOptions } from '../../src/models/textEncoderSizes.js';
import { absorbing, diffusionTime, diffusionWeight } from '../../src/operators/diffusion/index.js';
import { labels, replaceWithMask } from '../../src/operators/corruptions/index.js';
import { epochs } from '../../src/operators/epochs.js';
import { loss } from '../../src/operators/loss.js';
import { mask } from '../../src/operators/mask.js';
import { model } from '../../src/operators/model.js';
import { pack } from '../../src/operators/text/index.js';
import { adamw } from '../../src/optimizers/adamw.js';
import { run } from '../../src/run/run.js';
import { checkpoint } from '../../src/sinks/checkpoint.js';
import { train } from '../../src/sinks/train.js';
import { memory } from '../../src/sources/memory.js';
import { tokenizer } from '../../src/sources/tokenizer.js';
import { bytePairs } from '../sources/text/kinds.js';

/** Trains for a few steps and answers the tokenizer's file. */
export async function textRunFolder(folder: string, { special = true, ...sizes }: Partial<TextEncoderOptions> & { special?: boolean } = {}): Promise<string> {
  const file = join(dirname(folder), 'tokenizers', 'bytes.json');
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, JSON.stringify(bytePairs));
  const words = await tokenizer(file);
  const chain = pipeline({ steps: 3 }, ({ steps, out }) => {
    const encoder = textEncoder({ architecture: 'modern', vocabulary: words.vocabulary, width: 8, depth: 1, heads: 2, positions: 32, ...sizes });
    const noised = memory([{ text: 'the world the world' }, { text: "don't" }]).pipe(
      epochs(steps),
      pack(words, { rows: 1, length: 32, special }),
      diffusionTime(),
      mask(absorbing()),
      diffusionWeight(),
      replaceWithMask({ maskId: words.maskId }),
      labels(),
    );
    return noised.pipe(
      model(encoder),
      loss(maskedLanguage({ over: 'tokens' })),
      train(adamw({ learningRate: 0.01 }), { steps }),
      checkpoint(out('checkpoints'), { every: 2, keep: 5 }),
    );
  });
  await run(chain, { name: 'text', backend: 'cpu', out: folder });
  return file;
}
