// Taggers: sentences a second on the Brown corpus (each alone, the cache empty and filled, and the stage `tag` with its alignment behind
// `tokenize`); and on UD English EWT, where MASKFLOW_TEST_DATA has it, how often verbs and nouns are those of the gold tags: precision and
// recall of the kind over words. Entities have no gold there: how many words are some, and how many of them are proper nouns.
// Run: npm run bench -- taggers
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type Sample,
  type Tagger,
  arrow,
  batch,
  cachedTagger,
  compromiseTagger,
  conllu,
  drain,
  goldTags,
  memory,
  tag,
  taggers,
  tokenize,
  tokenizer,
  trainTokenizer,
  winkPosTagger,
  winkTagger,
} from 'maskflow';
import { type Observable, take } from 'rxjs';
import { type BrownSentence, brownSentences } from '../pipelines/data/brown.js';
import { line } from './support/line.js';
import { median } from './support/quantile.js';

const sentences = 2000;
const size = 64;
const repeats = 3;
const folder = mkdtempSync(join(tmpdir(), 'maskflow-bench-'));

/** Median of sentences a second over the repeats, after one that warms up. */
async function measure(figures: object, count: number, once: () => Promise<void>): Promise<void> {
  const rates: number[] = [];
  for (let repeat = 0; repeat <= repeats; repeat++) {
    const start = performance.now();
    await once();
    if (repeat > 0) rates.push(count / ((performance.now() - start) / 1000));
  }
  line('taggers', { ...figures, sentences: count, sentencesPerSecond: Math.round(median(rates)), repeats });
}

async function inBatches<T extends string | readonly string[]>(tagger: Tagger, texts: readonly T[]): Promise<void> {
  for (let at = 0; at < texts.length; at += size) await tagger.tag(texts.slice(at, at + size), []);
}

async function speed(): Promise<void> {
  const file = join(folder, 'brown.arrow');
  await brownSentences('train')(file);
  const texts: string[] = [];
  const lists: (readonly string[])[] = [];
  const rows: { text: string; forms: readonly string[]; pos: readonly string[] }[] = [];
  await drain(arrow<BrownSentence>(file, { columns: ['text', 'words', 'tags'] }).pipe(take(sentences)), {}, ({ fields: { text, words, tags } }) => {
    texts.push(text);
    lists.push(words);
    rows.push({ text, forms: words, pos: tags });
  });
  const [wink, pos, compromise] = [await winkTagger(), await winkPosTagger(), await compromiseTagger()];
  const both = taggers({ pos: wink, entities: compromise });
  await measure({ tagger: 'wink-nlp', of: 'text' }, texts.length, () => inBatches(wink, texts));
  await measure({ tagger: 'wink-nlp', of: 'words' }, texts.length, () => inBatches(wink, lists));
  await measure({ tagger: 'wink-pos-tagger', of: 'words' }, texts.length, () => inBatches(pos, lists));
  await measure({ tagger: 'compromise', of: 'text' }, texts.length, () => inBatches(compromise, texts));
  let empty = 0;
  await measure({ tagger: 'wink-nlp and compromise, cache empty', of: 'text' }, texts.length, async () => {
    const cached = await cachedTagger(both, join(folder, `cache-${empty++}`));
    await inBatches(cached, texts);
    await cached.flush();
  });
  const filled = await cachedTagger(both, join(folder, 'cache-0'));
  await measure({ tagger: 'wink-nlp and compromise, cache filled', of: 'text' }, texts.length, () => inBatches(filled, texts));

  const path = join(folder, 'tokenizer.json');
  await trainTokenizer(texts, { kind: 'wordPiece', vocabulary: 4000 })(path);
  const words = await tokenizer(path);
  const samples: Observable<Sample<(typeof rows)[number]>> = memory(rows);
  const text = samples.pipe(batch(size), tokenize(words, { length: 128 }));
  const forms = samples.pipe(batch(size), tokenize(words, { length: 128, column: 'forms' }));
  await measure({ stage: 'tokenize' }, rows.length, () => drain(text, {}, () => {}));
  await measure({ stage: 'tokenize, tag', tagger: 'cache filled' }, rows.length, () => drain(text.pipe(tag(filled, { tokenizer: words })), {}, () => {}));
  await measure({ stage: 'tokenize, tag', tagger: 'gold' }, rows.length, () =>
    drain(forms.pipe(tag(goldTags({ column: 'pos', scheme: 'brown' }), { column: 'forms' })), {}, () => {}),
  );
}

interface Gold {
  readonly forms: readonly string[];
  readonly upos: readonly string[];
  readonly xpos: readonly string[];
}

/** Bits of every word of all sentences, one behind the other. */
async function kindsOf(tagger: Tagger, gold: readonly Gold[]): Promise<number[]> {
  const columns = (tagger.reads ?? []).map(({ column }) => gold.map((sentence) => sentence[column as keyof Gold]));
  const answers = await tagger.tag(
    gold.map(({ forms }) => forms),
    columns,
  );
  return answers.flatMap(({ bits }) => [...bits]);
}

/** Precision and recall of one kind. */
function agreement(found: readonly number[], gold: readonly number[], bit: number): { precision: number; recall: number } {
  const both = found.filter((kind, i) => (kind & (gold[i] as number) & bit) !== 0).length;
  const count = (kinds: readonly number[]): number => kinds.filter((kind) => (kind & bit) !== 0).length;
  return { precision: both / count(found), recall: both / count(gold) };
}

async function accuracy(data: string): Promise<void> {
  const gold: Gold[] = [];
  await drain(conllu(data, { columns: ['forms', 'upos', 'xpos'] }), {}, ({ fields }) => gold.push(fields));
  const universal = await kindsOf(goldTags({ column: 'upos', scheme: 'universal' }), gold);
  const penn = await kindsOf(goldTags({ column: 'xpos', scheme: 'penn', entities: [] }), gold);
  for (const { name, tagger, of, scheme } of [
    { name: 'wink-nlp', tagger: await winkTagger(), of: universal, scheme: 'universal' },
    { name: 'wink-pos-tagger', tagger: await winkPosTagger(), of: penn, scheme: 'penn' },
  ]) {
    const found = await kindsOf(tagger, gold);
    const same = found.filter((kind, i) => (kind & 6) === ((of[i] as number) & 6)).length;
    line('taggers', {
      tagger: name,
      gold: scheme,
      words: of.length,
      verbs: agreement(found, of, 2),
      nouns: agreement(found, of, 4),
      accuracy: same / of.length,
    });
  }
  const entities = await kindsOf(await compromiseTagger(), gold);
  const { precision, recall } = agreement(entities, universal, 1);
  const share = entities.filter((kind) => kind === 1).length / entities.length;
  line('taggers', { tagger: 'compromise', words: entities.length, entityShare: share, ofEntitiesProperNouns: precision, ofProperNounsEntities: recall });
}

try {
  await speed();
  const root = process.env.MASKFLOW_TEST_DATA;
  const data = root === undefined ? undefined : join(root, 'ud-english-ewt', 'en_ewt-ud-test.conllu');
  if (data !== undefined && existsSync(data)) await accuracy(data);
  else console.error('taggers: accuracy skipped: MASKFLOW_TEST_DATA names no folder with ud-english-ewt/en_ewt-ud-test.conllu');
} finally {
  rmSync(folder, { recursive: true, force: true });
}
