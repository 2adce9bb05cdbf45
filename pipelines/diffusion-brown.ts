// Masked diffusion on English text (the Brown corpus): a small model learns to fill in any share of hidden tokens, and so to write
// sentences from nothing; while it learns, it shows some of them as they unmask.
import { copyFileSync } from 'node:fs';
import {
  absorbing,
  adamw,
  arrow,
  checkpoint,
  cosine,
  diffusionTime,
  diffusionWeight,
  epochs,
  firstHitting,
  heldOutNelbo,
  labels,
  loss,
  mask,
  maskedLanguage,
  metrics,
  model,
  pack,
  pipeline,
  progress,
  replaceWithMask,
  samples,
  shuffle,
  tensorboard,
  textEncoder,
  tokenizer,
  train,
  trainTokenizer,
} from 'maskflow';
import { tap } from 'rxjs';
import { type BrownSentence, type BrownSplit, brownSentences } from './data/brown.js';

export default pipeline(
  { epochs: 3, steps: Number.POSITIVE_INFINITY, batchSize: 16, length: 128, vocabulary: 1024, width: 128, depth: 4 },
  async ({ epochs: n, steps, batchSize, length, vocabulary, width, depth, prepare, out }) => {
    // Text of your own is one line: const text = async (split: BrownSplit) => textLines(`corpus/${split}/*.txt`);
    const text = async (split: BrownSplit) => arrow<Pick<BrownSentence, 'text'>>(await prepare(`brown-${split}`, brownSentences(split)), { columns: ['text'] });
    const [corpus, heldOut] = [await text('train'), await text('test')];
    // Made once: with other text it needs another name.
    const file = await prepare(`brown-bpe-${vocabulary}.json`, trainTokenizer(corpus, { kind: 'bytePairs', vocabulary }));
    const words = await tokenizer(file);

    // Several sentences a row, each between [CLS] and [SEP] and seen by its own tokens alone.
    const rows = corpus.pipe(epochs(n), shuffle(), pack(words, { rows: batchSize, length, last: 'drop' }));

    // First weights of 1/√width: with BERT's 0.02 a model of this width learns frequencies alone for a thousand steps.
    const sizes = { vocabulary: words.vocabulary, width, depth, heads: 4, positions: length, initializerRange: 1 / Math.sqrt(width) };
    const encoder = textEncoder({ architecture: 'modern', ...sizes, never: [words.maskId] });
    const noised = rows.pipe(diffusionTime({ scope: 'batch' }), mask(absorbing()), diffusionWeight(), replaceWithMask({ maskId: words.maskId }), labels());
    const trained = noised.pipe(
      model(encoder),
      // 1/t as weight, over all tokens that could be hidden: a bound on −ln p in nats a token.
      loss(maskedLanguage({ over: 'tokens' })),
      train(adamw({ learningRate: cosine({ peak: 3e-3, warmup: 100 }), weightDecay: 0.1 }), { clip: 1, steps }),
    );

    const packed = (sentences: typeof corpus) => sentences.pipe(pack(words, { rows: batchSize, length, last: 'pad' }));
    return trained.pipe(
      // Model and tokenizer are a pair: `maskflow unmask` reads both from the run's folder.
      tap({ subscribe: () => copyFileSync(file, out('tokenizer.json')) }),
      checkpoint(out('checkpoints'), { every: 500 }),
      metrics(out('metrics.jsonl')),
      tensorboard(out('.')),
      // Colder than what was learnt (1): of a model this small the tail of the distribution is noise.
      samples(out('samples.jsonl'), { model: encoder, words, sampler: firstHitting({ temperature: 0.7 }), every: 500, length: 24 }),
      progress(),
      heldOutNelbo({ model: encoder, maskId: words.maskId, train: packed(corpus), test: packed(heldOut) }),
    );
  },
);
