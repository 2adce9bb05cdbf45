// Translation language modelling (Conneau and Lample: "Cross-lingual language model pretraining", NeurIPS 2019, section 3.3) on the
// messages of the TypeScript compiler: an English message and its translation are one row, tokens of both are hidden, and what
// is hidden in one language can be read off the other. As in XLM, positions begin anew in the second text, and segments tell
// the languages apart.
import { copyFileSync } from 'node:fs';
import {
  type Batch,
  type Carried,
  type Columnar,
  type Mask,
  MaskflowError,
  adamw,
  arrow,
  batch,
  bernoulli,
  carriedAt,
  checkpoint,
  corrupt,
  epochs,
  linear,
  loss,
  mask,
  maskedAccuracy,
  maskedLanguage,
  metrics,
  model,
  pipeline,
  progress,
  recipe,
  shuffle,
  tensorboard,
  textEncoder,
  tlm,
  tokenize,
  tokenizer,
  train,
  trainTokenizer,
  withColumns,
} from 'maskflow';
import { type Observable, map, tap } from 'rxjs';
import { type Message, messageTexts, parallelMessages } from './data/parallelMessages.js';

export default pipeline(
  {
    epochs: 60,
    steps: Number.POSITIVE_INFINITY,
    batchSize: 32,
    language: 'de',
    ratio: 0.15,
    vocabulary: 2000,
    length: 96,
    width: 128,
    depth: 3,
  },
  async ({ epochs: n, steps, batchSize, language, ratio, vocabulary, length, width, depth, prepare, prepared, out }) => {
    // Any other parallel text: parallelLines({ en: 'corpus.en', de: 'corpus.de' }).
    const messages = (split: 'train' | 'test') => arrow<Message>(prepared(`messages-${split}`, parallelMessages(split)));
    if (language !== 'de' && language !== 'fr') throw new MaskflowError({ option: 'language', rule: "must be 'de' or 'fr'", value: language });
    const both = trainTokenizer(messageTexts('train', ['en', language]), { kind: 'bytePairs', vocabulary });
    const file = await prepare(`messages-bpe-en-${language}-${vocabulary}.json`, both);
    const words = await tokenizer(file);

    /** Rows of both languages; `own` or, to see whether the model looks, with the translation of another message. */
    const pairs = (source: Observable<Batch<Columnar<Message>>>, whose: 'own' | 'another' = 'own') =>
      source.pipe(
        map((batch) => withColumns(batch, { translation: whose === 'own' ? batch.columns[language] : halfwayDown(batch.columns[language], batch.rows) })),
        tokenize(words, { column: 'en', pair: 'translation', positions: true, length, multiple: 16 }),
      );

    const encoder = textEncoder({ vocabulary: words.vocabulary, width, depth, heads: 4, positions: length, initializerRange: 0.06 });
    const trained = pairs(messages('train').pipe(epochs(n), shuffle(), batch(batchSize, { last: 'drop' }))).pipe(
      mask(tlm({ ratio })),
      corrupt({ tokenizer: words }),
      model(encoder),
      loss(maskedLanguage()),
      train(adamw({ learningRate: linear({ peak: 2e-3, warmup: 200 }), weightDecay: 0.01, beta2: 0.98 }), { clip: 1, steps }),
    );

    // Held-out messages: English tokens are asked, the same ones whatever stands behind them (but where a row is cut).
    const asking = (whose: 'own' | 'another') =>
      pairs(messages('test').pipe(batch(53)), whose).pipe(mask(inFirstText(ratio)), corrupt({ tokenizer: words, mask: 1, random: 0 }));
    const frequencies = pairs(messages('train').pipe(batch(256)));
    return trained.pipe(
      tap({ subscribe: () => copyFileSync(file, out('tokenizer.json')) }),
      checkpoint(out('checkpoints'), { every: 500 }),
      metrics(out('metrics.jsonl')),
      tensorboard(out('.')),
      progress(),
      maskedAccuracy({ model: encoder, train: frequencies, test: asking('own') }),
      maskedAccuracy({ model: encoder, train: frequencies, test: asking('another'), name: 'wrongTranslation' }),
    );
  },
);

/** The texts of a batch moved down by half of it: next to each message the translation of a distant one. */
function halfwayDown(texts: Carried, rows: number): Carried {
  return { rows, values: Array.from({ length: rows }, (_, row) => carriedAt(texts, (row + Math.floor(rows / 2)) % rows)) };
}

/** `bernoulli` in the first text of a pair alone. */
function inFirstText(ratio: number): Mask {
  const everywhere = bernoulli({ ratio });
  return {
    recipe: recipe('pipelines/tlm-parallel', 'inFirstText', { ratio }),
    reads: ['segments'],
    hide(tokens, key) {
      const segments = tokens.columns?.segments as Int32Array;
      return everywhere.hide(tokens, key).map((hidden, i) => (segments[i] === 0 ? hidden : 0));
    },
  };
}
