// Whole words against single pieces (masked-language card, experiment c): every word of the agreement grammar is two pieces, and both
// rules have the same budget (whole words leave one piece of an odd one over). With the other piece in sight a hidden piece is easy; so the loss on whole words is higher.
// Run: node node_modules/jiti/lib/jiti-cli.mjs bench/methods/wholeWordLoss.ts
import { Draws, corrupt, countBased, fold, mask, rootKey, textEncoder, wholeWord } from 'maskflow';
import { pipe } from 'rxjs';
import { type Agreeing, agreeingSentences, grammar, isSpecial } from './support/agreementGrammar.js';
import { experiment } from './support/experiment.js';
import { type TextRow, textBatch } from './support/textBatch.js';
import { type Stages, trainer } from './support/trainer.js';

const { bos, eos, maskId, firstWord, words } = grammar;
const pieces = 40;
const vocabulary = firstWord + pieces;
const [width, batchSize, steps, heldOut] = [32, 32, 1500, 512];
const seeds = [0, 1, 2];

/** Two pieces for each word, no two words alike. */
function spelling(seed: number): (id: number) => number[] {
  const all = new Draws(fold(rootKey(seed), 'spelling')).choice(pieces * pieces, words);
  return (id) => {
    const one = all[id - firstWord] as number;
    return [firstWord + (one % pieces), firstWord + Math.floor(one / pieces)];
  };
}

const ways = { 'single pieces': countBased(), 'whole words': wholeWord() };
const { figure, effect, end } = experiment({
  name: 'wholeWordLoss',
  about: 'Whole-word masking against masking of single pieces, where every word is two pieces of 40: loss on held-out sentences masked in the same way.',
  card: 'masked-language',
  seeds,
  sizes: `Agreement grammar, text encoder of width 64 and 2 blocks, ratio 0.15, batch ${batchSize}, ${steps} steps.`,
});
const found: number[][] = [];
for (const [way, rule] of Object.entries(ways)) {
  const stages = pipe(mask(rule) as unknown as Stages, corrupt({ maskId, vocabulary }) as unknown as Stages);
  const [losses, accuracies, hidden]: [number[], number[], number[]] = [[], [], []];
  for (const seed of seeds) {
    const spell = spelling(seed);
    const rowOf = ({ words: said }: Agreeing, id: number): TextRow => ({
      ids: [bos, ...said.flatMap(spell), eos],
      words: [-1, ...said.flatMap((_, i) => [i, i]), -1],
      id,
    });
    const { step, ask, executor } = await trainer(
      textEncoder({ architecture: 'modern', vocabulary, width: 64, depth: 2, heads: 4, hidden: 128, positions: width, initializerRange: 0.1 }),
      { seed },
    );
    const corpus = agreeingSentences(steps * batchSize, seed);
    for (let n = 0; n < steps; n++) {
      const rows = corpus.slice(n * batchSize, (n + 1) * batchSize).map((one, i) => rowOf(one, n * batchSize + i));
      await step(textBatch(rows, width, isSpecial), stages);
    }
    const tests = agreeingSentences(heldOut, 1000 + seed).map(rowOf);
    const { asked, right, surprisal } = await ask(textBatch(tests, width, isSpecial), stages);
    losses.push(surprisal / asked);
    accuracies.push(right / asked);
    hidden.push(asked / heldOut);
    executor.dispose();
  }
  figure({ setting: way, quantity: 'held-out loss, nats', values: losses });
  figure({ setting: way, quantity: 'accuracy', values: accuracies });
  figure({ setting: way, quantity: 'hidden pieces a sentence', values: hidden, digits: 2 });
  found.push(losses);
}
const more = (found[1] as number[]).map((one, s) => one - (found[0]?.[s] as number));
effect({
  effect: 'Whole words are the harder task (difference of loss in nats)',
  rule: 'each > 0',
  values: more,
  shown: more.every((one) => one > 0),
  card: 'expects > 0, not measured',
});
end();
