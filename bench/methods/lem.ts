// Linguistic entity masking against translation language modelling on two toy languages (the LEM card's pocket experiment): 48
// concepts (16 names, 16 verbs, 16 nouns) and 12 function words a language, vocabularies without a common word; a sentence is name,
// verb, noun (in the other language name, noun, verb) with one or two function words before each. 300 steps on sentences of both
// languages, then steps on pairs. A: a content word is one token. B: two of 24 pieces of its language. Figures on held-out
// pairs: cloze, all pieces of one content word hidden, accuracy of its tokens given the rest; retrieval among 40 translations by
// the pseudo-log-likelihood of a sentence's hidden content words. The baseline is the usual collator's Bernoulli on both sides.
// Run: node node_modules/jiti/lib/jiti-cli.mjs bench/methods/lem.ts
import {
  type AnyBatch,
  type Column,
  Draws,
  type Mask,
  bernoulli,
  corrupt,
  fold,
  linguisticEntity,
  mask,
  recipe,
  rootKey,
  tagBits,
  textEncoder,
} from 'maskflow';
import { firstValueFrom, of, pipe } from 'rxjs';
import { asking } from './support/asking.js';
import { experiment, mean } from './support/experiment.js';
import { type TextRow, textBatch } from './support/textBatch.js';
import { type Stages, type Trainer, trainer } from './support/trainer.js';

const seeds = [0, 1, 2];
// Id 0 pads.
const [bos, eos, maskId, functionWords, concepts, pieces] = [1, 2, 3, 12, 48, 24];
const [width, batchSize, monoSteps, pairs, heldOut, candidates] = [34, 32, 300, 4000, 200, 40];
const isSpecial = (id: number): boolean => id <= eos || id === maskId;

interface Language {
  readonly functionOf: (n: number) => number;
  /** Tokens of each concept: one, or two. */
  readonly words: readonly (readonly number[])[];
  /** Kinds in the order of a sentence: 0 name, 1 verb, 2 noun. */
  readonly order: readonly number[];
}

/** Two languages and how many ids they have. */
function languages(split: boolean, draws: Draws): { readonly both: readonly Language[]; readonly vocabulary: number } {
  let next = maskId + 1;
  const both = [
    [0, 1, 2],
    [0, 2, 1],
  ].map((order): Language => {
    const [functions, content] = [next, next + functionWords];
    next = content + (split ? pieces : concepts);
    const taken = new Set<string>();
    const words = Array.from({ length: concepts }, (_, concept) => {
      if (!split) return [content + concept];
      for (;;) {
        const word = [content + draws.integer(pieces), content + draws.integer(pieces)];
        if (!taken.has(word.join())) {
          taken.add(word.join());
          return word;
        }
      }
    });
    return { functionOf: (n) => functions + n, words, order };
  });
  return { both, vocabulary: next };
}

const zipf = (draws: Draws): number => {
  const sum = Array.from({ length: functionWords }, (_, i) => 1 / (i + 1)).reduce((a, b) => a + b, 0);
  let at = draws.uniform() * sum;
  for (let n = 0; n < functionWords; n++) {
    at -= 1 / (n + 1);
    if (at < 0) return n;
  }
  return functionWords - 1;
};

interface Sentence {
  /** Tokens of each word, and its kind as a bit of `tags`; 0 for function words. */
  readonly words: readonly { readonly ids: readonly number[]; readonly tag: number }[];
}

/** One meaning (a name, a verb, a noun) said in a language. */
function said(meaning: readonly number[], { functionOf, words, order }: Language, draws: Draws): Sentence {
  const bits = [tagBits.entity, tagBits.verb, tagBits.noun];
  return {
    words: order.flatMap((kind) => [
      ...Array.from({ length: 1 + draws.integer(2) }, () => ({ ids: [functionOf(zipf(draws))], tag: 0 })),
      { ids: words[16 * kind + (meaning[kind] as number)] as readonly number[], tag: bits[kind] as number },
    ]),
  };
}

/** One sentence, or two as XLM-R has pairs: <s> a </s></s> b </s>. */
function rowOf(sentences: readonly Sentence[], id: number): TextRow {
  const row = { ids: [bos], words: [-1], tags: [0] };
  const push = (token: number, word: number, tag: number): void => {
    row.ids.push(token);
    row.words.push(word);
    row.tags.push(tag);
  };
  let word = 0;
  sentences.forEach(({ words }, s) => {
    if (s > 0) for (const one of [eos, eos]) push(one, -1, 0);
    for (const { ids, tag } of words) {
      for (const piece of ids) push(piece, word, tag);
      word++;
    }
  });
  push(eos, -1, 0);
  return { ...row, id };
}

/** Entities as whole words: all pieces of the words of which `linguisticEntity` takes one. */
function wholeEntity(): Mask {
  const one = linguisticEntity();
  return {
    ...one,
    recipe: recipe('bench/methods/lem', 'wholeEntity'),
    hide(tokens, key) {
      const hidden = one.hide(tokens, key);
      const words = tokens.columns?.words as Int32Array;
      const taken = new Set(Array.from(words.subarray(0, tokens.length)).filter((_, i) => hidden[i] === 1));
      return hidden.map((_, i) => (i < tokens.length && taken.has(words[i] as number) ? 1 : 0));
    },
  };
}

const rules = { TLM: () => bernoulli(), LEM: () => linguisticEntity(), 'whole words': wholeEntity };
type Way = keyof typeof rules;

interface World {
  readonly vocabulary: number;
  readonly train: readonly Sentence[][];
  readonly tests: readonly Sentence[][];
}

function world(split: boolean, seed: number): World {
  const draws = new Draws(fold(rootKey(seed), split ? 'lemSplit' : 'lem'));
  const { both, vocabulary } = languages(split, draws);
  const corpus = Array.from({ length: pairs + heldOut }, () => {
    const meaning = [0, 1, 2].map(() => draws.integer(16));
    return both.map((language) => said(meaning, language, draws));
  });
  return { vocabulary, train: corpus.slice(0, pairs), tests: corpus.slice(pairs) };
}

/** What is hidden of a pair: positions, and the share of them that belong to content words. */
async function selection(way: Way, { train }: World): Promise<{ readonly hidden: number; readonly content: number }> {
  const batch = textBatch(
    train.map((pair, id) => rowOf(pair, id)),
    width,
    isSpecial,
  );
  const { columns } = await firstValueFrom(of(batch).pipe(mask(rules[way]()) as unknown as Stages));
  const [hidden, tags] = [(columns.mask as Column<Uint8Array>).data, (columns.tags as Column<Uint8Array>).data];
  const chosen = hidden.reduce((sum, one) => sum + one, 0);
  return { hidden: chosen / train.length, content: hidden.reduce((sum, one, i) => sum + (one === 1 && tags[i] !== 0 ? 1 : 0), 0) / chosen };
}

const contentWords = ({ words = [], tags = [] }: TextRow): number[] => [...new Set(words)].filter((word) => (tags[words.indexOf(word)] ?? 0) > 0);

/** Accuracy of the tokens of one hidden content word, over all content words of all held-out pairs. */
async function cloze({ scores }: Trainer, { tests }: World): Promise<number> {
  const questions = tests.flatMap((pair, id) => {
    const row = rowOf(pair, id);
    return contentWords(row).map((word) => ({ row, word }));
  });
  const found: number[] = [];
  for (let from = 0; from < questions.length; from += 200) {
    const part = questions.slice(from, from + 200);
    const rows = part.map(({ row }) => row);
    found.push(...(await scores(asking(rows, width, isSpecial, maskId, (row, i, r) => row.words?.[i] === part[r]?.word))).right);
  }
  return mean(found);
}

/** Share of sentences for which their own translation, of 40, makes their hidden content words the most probable. */
async function retrieval({ scores }: Trainer, { tests }: World): Promise<number> {
  const some = tests.slice(0, candidates);
  let right = 0;
  for (const [own, [sentence]] of some.entries()) {
    const rows = some.map(([, translation], id) => rowOf([sentence as Sentence, translation as Sentence], id));
    const of = sentence as Sentence;
    const { surprisal } = await scores(
      asking(rows, width, isSpecial, maskId, (row, i) => (row.words?.[i] ?? -1) < of.words.length && (row.tags?.[i] ?? 0) > 0),
    );
    const each = surprisal.length / rows.length;
    const sums = rows.map((_, r) => surprisal.slice(r * each, (r + 1) * each).reduce((a, b) => a + b, 0));
    if (sums.indexOf(Math.min(...sums)) === own) right++;
  }
  return right / some.length;
}

/** Cloze and retrieval after each number of parallel steps. */
async function trained(way: Way, of: World, marks: readonly number[], seed: number): Promise<{ readonly cloze: number[]; readonly retrieval: number[] }> {
  const { vocabulary, train } = of;
  const made = await trainer(textEncoder({ architecture: 'modern', vocabulary, width: 48, depth: 2, heads: 4, positions: width, initializerRange: 0.1 }), {
    seed,
  });
  const stages = pipe(mask(rules[way]()) as unknown as Stages, corrupt({ maskId, vocabulary }) as unknown as Stages);
  const draws = new Draws(fold(rootKey(seed), 'order'));
  const some = (): Sentence[] => train[draws.integer(pairs)] as Sentence[];
  let id = seed * 1e6;
  const batch = (sentences: () => Sentence[]): AnyBatch =>
    textBatch(
      Array.from({ length: batchSize }, () => rowOf(sentences(), id++)),
      width,
      isSpecial,
    );
  for (let n = 0; n < monoSteps; n++)
    await made.step(
      batch(() => [some()[draws.integer(2)] as Sentence]),
      stages,
    );
  const result: { cloze: number[]; retrieval: number[] } = { cloze: [], retrieval: [] };
  for (let n = 1; n <= Math.max(...marks); n++) {
    await made.step(batch(some), stages);
    if (!marks.includes(n)) continue;
    result.cloze.push(await cloze(made, of));
    result.retrieval.push(await retrieval(made, of));
  }
  made.executor.dispose();
  return result;
}

const { figure, effect, end } = experiment({
  name: 'lem',
  about:
    'Linguistic entity masking (LEM) against translation language modelling (TLM) on two toy languages. Cloze: accuracy of a hidden content word given the rest of a held-out pair. Retrieval: own translation found among 40.',
  card: 'lem',
  seeds,
  sizes: '4,000 pairs, text encoder of width 48 and 2 blocks, batch 32, 300 steps on sentences before those on pairs.',
});

const variants = [
  { name: 'A, one token a word', split: false, marks: [450, 900], ways: ['TLM', 'LEM'] },
  { name: 'B, two pieces a word', split: true, marks: [1800], ways: ['TLM', 'LEM', 'whole words'] },
] as const;
const cards: Readonly<Record<string, string>> = {
  'A TLM 450 cloze': '.41 .60 .29',
  'A LEM 450 cloze': '.99 .99 .99',
  'A TLM 900 cloze': '.96 .98 .96',
  'A LEM 900 cloze': '1.00',
  'B TLM 1800 cloze': '.65 .61 .61',
  'B LEM 1800 cloze': '.25 .28 .24',
  'B whole words 1800 cloze': '.95 .96 .97',
  'B TLM 1800 retrieval': '1.0 .98 1.0',
  'B LEM 1800 retrieval': '.43 .58 .58',
  'B whole words 1800 retrieval': '1.0',
};
const clozes = new Map<string, number[]>();
for (const { name, split, marks, ways } of variants) {
  const worlds = seeds.map((seed) => world(split, seed));
  for (const way of ways) {
    const chosen = await Promise.all(worlds.map((one) => selection(way, one)));
    const results: Awaited<ReturnType<typeof trained>>[] = [];
    for (const seed of seeds) results.push(await trained(way, worlds[seed] as World, marks, seed));
    marks.forEach((mark, m) => {
      const setting = `${name}: ${way}, ${mark} parallel steps`;
      for (const quantity of ['cloze', 'retrieval'] as const) {
        const values = results.map((result) => result[quantity][m] as number);
        figure({ setting, quantity, values, card: cards[`${name[0]} ${way} ${mark} ${quantity}`], digits: 2 });
        if (quantity === 'cloze') clozes.set(`${name[0]} ${way} ${mark}`, values);
      }
      if (m > 0) return;
      const content = way === 'TLM' ? 'its share of the text' : '≈ 1';
      figure({
        setting,
        quantity: 'hidden tokens a pair',
        values: chosen.map(({ hidden }) => hidden),
        card: split ? undefined : way === 'TLM' ? '2.3' : 'about 3',
        digits: 2,
      });
      figure({ setting, quantity: 'share in content words', values: chosen.map((one) => one.content), card: content, digits: 2 });
    });
  }
}
const minus = (a: string, b: string): number[] => (clozes.get(a) as number[]).map((value, s) => value - (clozes.get(b)?.[s] as number));
const early = minus('A LEM 450', 'A TLM 450');
effect({
  effect: 'A: LEM learns to translate content words sooner than TLM (difference of cloze after 450 parallel steps)',
  rule: 'mean > 0.2',
  values: early,
  shown: mean(early) > 0.2,
  card: '.58 .39 .70',
  digits: 2,
});
const split = minus('B LEM 1800', 'B TLM 1800');
effect({
  effect: 'B: hiding one piece of a word of two is better than TLM (difference of cloze after 1,800 steps)',
  rule: 'mean > 0.05',
  values: split,
  shown: mean(split) > 0.05,
  card: '−.40 −.33 −.37: negative',
  digits: 2,
});
const whole = minus('B whole words 1800', 'B TLM 1800');
effect({
  effect: 'B: hiding whole content words is better than TLM (difference of cloze after 1,800 steps)',
  rule: 'mean > 0.2',
  values: whole,
  shown: mean(whole) > 0.2,
  card: '.30 .35 .36',
  digits: 2,
});
end();
