// Linguistic entity masking (LEM, 2501.05700) on the Brown corpus: one token each of proper nouns, verbs and nouns is hidden rather than
// random tokens, by the corpus's own part-of-speech tags. The paper goes on from a trained model and always masks such words while
// there are any (shares of 1); here a small BERT begins from nothing and must learn function words too, so verbs and nouns
// have a part of the budget and the rest goes to other words.
import {
  adamw,
  arrow,
  batch,
  checkpoint,
  corrupt,
  epochs,
  goldTags,
  keep,
  linear,
  linguisticEntity,
  loss,
  mask,
  maskedAccuracy,
  maskedLanguage,
  metrics,
  model,
  pipeline,
  progress,
  pseudoPerplexity,
  shuffle,
  tag,
  tensorboard,
  textEncoder,
  tokenize,
  tokenizer,
  train,
  trainTokenizer,
} from 'maskflow';
import { map } from 'rxjs';
import { type BrownSentence, type BrownSplit, brownSentences } from './data/brown.js';

export default pipeline(
  { epochs: 4, steps: Number.POSITIVE_INFINITY, batchSize: 64, length: 48, entities: 1, verbs: 0.2, nouns: 0.2 },
  async ({ epochs: n, steps, batchSize, length, entities, verbs, nouns, prepare, out }) => {
    const brown = async (split: BrownSplit) => {
      const sentences = arrow<BrownSentence>(await prepare(`brown-${split}`, brownSentences(split)), { columns: ['text', 'words', 'tags'] });
      // `words` and `tags` are columns that tokenize and tag add.
      return sentences.pipe(map(({ fields: { text, words, tags }, origin }) => ({ fields: { text, forms: words, pos: tags }, origin })));
    };
    const [sentences, unseen] = [await brown('train'), await brown('test')];
    const words = await tokenizer(await prepare('brown-wordPiece-4000.json', trainTokenizer(sentences, { kind: 'wordPiece', vocabulary: 4000 })));

    // Which words are entities, verbs and nouns: the corpus's own tags. Text without tags: await winkTagger(), or
    // await cachedTagger(taggers({ pos: await winkTagger(), entities: await compromiseTagger() }), '.maskflow/brown-tags').
    const tagger = goldTags({ column: 'pos', scheme: 'brown' });

    const rows = tokenize(words, { column: 'forms', length, multiple: 16 });
    const tagged = tag(tagger, { column: 'forms' });
    const lem = mask(linguisticEntity({ entities, verbs, nouns }));

    const encoder = textEncoder({ vocabulary: words.vocabulary, width: 128, depth: 2, heads: 4, positions: length, initializerRange: 0.06 });
    const trained = sentences
      .pipe(epochs(n), shuffle(), batch(batchSize, { last: 'drop' }), rows, tagged, lem, corrupt({ tokenizer: words }))
      .pipe(
        model(encoder),
        loss(maskedLanguage()),
        train(adamw({ learningRate: linear({ peak: 3e-3, warmup: 200 }), weightDecay: 0.01, beta2: 0.98 }), { clip: 1, steps }),
      );

    // Sentences of documents that were not trained on: every fourth, and for a pass a token every fiftieth.
    const every = (nth: number) =>
      unseen.pipe(
        keep(({ origin }) => origin.id % nth === 0),
        batch(64),
        rows,
      );
    const asking = every(4).pipe(tagged, lem, corrupt({ tokenizer: words, mask: 1, random: 0 }));
    const frequencies = sentences.pipe(batch(256), rows);
    return trained.pipe(
      checkpoint(out('checkpoints'), { every: 500 }),
      metrics(out('metrics.jsonl')),
      tensorboard(out('.')),
      progress(),
      maskedAccuracy({ model: encoder, train: frequencies, test: asking }),
      pseudoPerplexity({ model: encoder, maskId: words.maskId, train: frequencies, test: every(50) }),
    );
  },
);
