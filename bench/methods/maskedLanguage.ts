// Masked language modelling on sentences with agreement (masked-language card, experiment a): accuracy on hidden words against always
// naming the most frequent one, and whether a hidden verb is guessed in the right number.
// Run: node node_modules/jiti/lib/jiti-cli.mjs bench/methods/maskedLanguage.ts
import { type Column, bernoulli, corrupt, mask, textEncoder } from 'maskflow';
import { firstValueFrom, of, pipe } from 'rxjs';
import { type Agreeing, agreeingSentences, grammar, isSpecial, isVerbOf } from './support/agreementGrammar.js';
import { asking } from './support/asking.js';
import { experiment, mean } from './support/experiment.js';
import { type TextRow, textBatch } from './support/textBatch.js';
import { type Stages, trainer } from './support/trainer.js';

const { bos, eos, maskId, vocabulary } = grammar;
const [width, batchSize, steps, heldOut] = [32, 32, 1500, 512];
const seeds = [0, 1, 2];
const stages = pipe(mask(bernoulli()) as unknown as Stages, corrupt({ maskId, vocabulary }) as unknown as Stages);
const rowOf = ({ words }: Agreeing, id: number): TextRow => ({ ids: [bos, ...words, eos], id });

const { figure, effect, end } = experiment({
  name: 'maskedLanguage',
  about: 'Masked language modelling (Bernoulli 0.15, 80/10/10) on sentences whose verbs agree with their subjects in number.',
  card: 'masked-language',
  seeds,
  sizes: `200 content words, fresh sentences of 8 to 14 tokens, text encoder of width 64 and 2 blocks, batch ${batchSize}, ${steps} steps.`,
});
const found: { accuracy: number; unigram: number; agreement: number }[] = [];
for (const seed of seeds) {
  const encoder = textEncoder({ architecture: 'modern', vocabulary, width: 64, depth: 2, heads: 4, hidden: 128, positions: width, initializerRange: 0.1 });
  const { step, ask, executor } = await trainer(encoder, { seed });
  const corpus = agreeingSentences(steps * batchSize, seed);
  const tests = agreeingSentences(heldOut, 1000 + seed);
  for (let n = 0; n < steps; n++) {
    const rows = corpus.slice(n * batchSize, (n + 1) * batchSize).map((one, i) => rowOf(one, n * batchSize + i));
    await step(textBatch(rows, width, isSpecial), stages);
  }
  const batch = textBatch(
    tests.map((one, i) => rowOf(one, i)),
    width,
    isSpecial,
  );
  const { asked, right } = await ask(batch, stages);
  const counts = new Float64Array(vocabulary);
  for (const { words } of corpus) for (const id of words) counts[id] = (counts[id] as number) + 1;
  const best = counts.indexOf(Math.max(...counts));
  const { labels } = (await firstValueFrom(of(batch).pipe(stages))).columns;
  const common = (labels as Column<Int32Array>).data.filter((label) => label === best).length;
  // The verb alone, hidden: is the likeliest id a verb of the right number?
  const question = asking(
    tests.map((one, i) => rowOf(one, i)),
    width,
    isSpecial,
    maskId,
    (_, i, r) => i === 1 + (tests[r] as Agreeing).verb,
  );
  const prepared = { ...question, columns: { ...question.columns, ...encoder.prepare(question) } };
  const { askedLogits } = await executor.evaluate(encoder, prepared, ['askedLogits']);
  const agreeing = tests.map(({ number }, r) => {
    const logits = askedLogits.data.subarray(r * vocabulary, (r + 1) * vocabulary);
    return isVerbOf(logits.indexOf(logits.reduce((a, b) => Math.max(a, b))), number) ? 1 : 0;
  });
  executor.dispose();
  found.push({ accuracy: right / asked, unigram: common / asked, agreement: mean(agreeing) });
}
const setting = 'held-out sentences';
const [accuracies, unigrams, agreements] = (['accuracy', 'unigram', 'agreement'] as const).map((of) => found.map((one) => one[of])) as [
  number[],
  number[],
  number[],
];
figure({ setting, quantity: 'accuracy on hidden words', values: accuracies });
figure({ setting, quantity: 'always the most frequent word', values: unigrams });
figure({ setting, quantity: 'hidden verb in the right number', values: agreements });
const ratios = accuracies.map((one, s) => one / (unigrams[s] as number));
effect({
  effect: 'Accuracy on hidden words over that of the most frequent word',
  rule: 'each > 2',
  values: ratios,
  shown: ratios.every((one) => one > 2),
  card: 'expects > 2, not measured',
  digits: 2,
});
effect({
  effect: 'A hidden verb is guessed in the right number',
  rule: 'each > 0.95',
  values: agreements,
  shown: agreements.every((one) => one > 0.95),
  card: 'expects > .95, not measured',
});
end();
