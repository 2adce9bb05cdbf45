// Masked language modelling on English text (the Brown corpus) by BERT's rule (Devlin et al., NAACL 2019, section 3.1): 15 % of the
// tokens are asked for, of these 80 % hidden behind [MASK], 10 % replaced and 10 % left as they are. Tokenizer and model
// start from nothing. The newest checkpoint is a BertForMaskedLM for Hugging Face, and tokenizer.json stands in the run's folder.
import { copyFileSync } from 'node:fs';
import {
  adamw,
  arrow,
  batch,
  checkpoint,
  corrupt,
  countBased,
  epochs,
  keep,
  linear,
  loss,
  mask,
  maskedAccuracy,
  maskedLanguage,
  metrics,
  model,
  pack,
  pipeline,
  progress,
  pseudoPerplexity,
  shuffle,
  tensorboard,
  textEncoder,
  tokenize,
  tokenizer,
  train,
  trainTokenizer,
} from 'maskflow';
import { tap } from 'rxjs';
import { type BrownSentence, type BrownSplit, brownSentences } from './data/brown.js';

export default pipeline(
  { epochs: 4, steps: Number.POSITIVE_INFINITY, batchSize: 32, ratio: 0.15, vocabulary: 4096, length: 64, width: 128, depth: 4 },
  async ({ epochs: n, steps, batchSize, ratio, vocabulary, length, width, depth, prepare, out }) => {
    // Text of your own is one line: const text = async (split: BrownSplit) => textLines(`corpus/${split}/*.txt`);
    const text = async (split: BrownSplit) => arrow<Pick<BrownSentence, 'text'>>(await prepare(`brown-${split}`, brownSentences(split)), { columns: ['text'] });
    const [corpus, heldOut] = [await text('train'), await text('test')];
    // Made once: with other text it needs another name.
    const file = await prepare(`brown-bpe-${vocabulary}.json`, trainTokenizer(corpus, { kind: 'bytePairs', vocabulary }));
    const words = await tokenizer(file);

    // Several sentences a row, each between [CLS] and [SEP] and seen by its own tokens alone.
    const rows = corpus.pipe(epochs(n), shuffle(), pack(words, { rows: batchSize, length, last: 'drop' }));

    const encoder = textEncoder({ vocabulary: words.vocabulary, width, depth, heads: 4, positions: length, initializerRange: 0.06 });
    const trained = rows.pipe(
      mask(countBased({ ratio })),
      corrupt({ tokenizer: words }),
      model(encoder),
      loss(maskedLanguage()),
      train(adamw({ learningRate: linear({ peak: 3e-3, warmup: 200 }), weightDecay: 0.01, beta2: 0.98 }), { clip: 1, steps }),
    );

    // Sentences of documents that were not trained on: every fourth, and for a pass a token every fiftieth.
    const sentences = (nth: number) =>
      heldOut.pipe(
        keep(({ origin }) => origin.id % nth === 0),
        batch(32),
        tokenize(words, { length, multiple: 16 }),
      );
    const asking = sentences(4).pipe(mask(countBased({ ratio })), corrupt({ tokenizer: words, mask: 1, random: 0 }));
    const frequencies = corpus.pipe(batch(256), tokenize(words, { length }));
    return trained.pipe(
      tap({ subscribe: () => copyFileSync(file, out('tokenizer.json')) }),
      checkpoint(out('checkpoints'), { every: 500 }),
      metrics(out('metrics.jsonl')),
      tensorboard(out('.')),
      progress(),
      maskedAccuracy({ model: encoder, train: frequencies, test: asking }),
      pseudoPerplexity({ model: encoder, maskId: words.maskId, train: frequencies, test: sentences(50) }),
    );
  },
);
