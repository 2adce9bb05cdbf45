// Dynamic against static masking (masked-language card, experiment b): 300 sentences for many epochs, masked anew each time or always in
// the same way (`copies: 1`), and the loss on held-out sentences. Direction only: static masks let a model learn its few targets by heart.
// Run: node node_modules/jiti/lib/jiti-cli.mjs bench/methods/staticMasks.ts
import { bernoulli, corrupt, mask, permuted, fold, rootKey, textEncoder } from 'maskflow';
import { pipe } from 'rxjs';
import { type Agreeing, agreeingSentences, grammar, isSpecial } from './support/agreementGrammar.js';
import { experiment, mean } from './support/experiment.js';
import { type TextRow, textBatch } from './support/textBatch.js';
import { type Stages, trainer } from './support/trainer.js';

const { bos, eos, maskId, vocabulary } = grammar;
const [width, batchSize, sentences, epochs, heldOut] = [32, 30, 300, 150, 1024];
const seeds = [0, 1, 2];
const stagesOf = (copies: number): Stages =>
  pipe(mask(bernoulli(), { copies }) as unknown as Stages, corrupt({ maskId, vocabulary, copies }) as unknown as Stages);
const ways = { dynamic: stagesOf(Number.POSITIVE_INFINITY), static: stagesOf(1) };

const { figure, effect, end } = experiment({
  name: 'staticMasks',
  about: 'A small corpus for many epochs, masked anew in each epoch (dynamic) or always in the same way (static): loss on held-out sentences.',
  card: 'masked-language',
  seeds,
  sizes: `${sentences} sentences of the agreement grammar, text encoder of width 64 and 2 blocks, batch ${batchSize}, ${epochs} epochs.`,
});
const found = { dynamic: [] as number[], static: [] as number[] };
for (const way of ['dynamic', 'static'] as const) {
  const trainLoss: number[] = [];
  for (const seed of seeds) {
    const { step, ask, executor } = await trainer(
      textEncoder({ architecture: 'modern', vocabulary, width: 64, depth: 2, heads: 4, hidden: 128, positions: width, initializerRange: 0.1 }),
      { seed },
    );
    // Ids tell the sentences apart, epochs the copies of each.
    const rowOf = ({ words }: Agreeing, n: number, epoch: number): TextRow => ({ ids: [bos, ...words, eos], id: 10_000 * seed + n, epoch });
    const corpus = agreeingSentences(sentences, seed);
    let last: number[] = [];
    for (let epoch = 0; epoch < epochs; epoch++) {
      const order = permuted(fold(rootKey(seed), epoch), sentences);
      last = [];
      for (let from = 0; from < sentences; from += batchSize) {
        const rows = Array.from({ length: batchSize }, (_, i) => rowOf(corpus[order(from + i)] as Agreeing, order(from + i), epoch));
        last.push(await step(textBatch(rows, width, isSpecial), ways[way]));
      }
    }
    const tests = agreeingSentences(heldOut, 1000 + seed).map((one, n) => rowOf(one, 5000 + n, 0));
    const { surprisal, asked } = await ask(textBatch(tests, width, isSpecial), ways.dynamic);
    found[way].push(surprisal / asked);
    trainLoss.push(mean(last));
    executor.dispose();
  }
  figure({ setting: way, quantity: 'held-out loss, nats', values: found[way] });
  figure({ setting: way, quantity: 'training loss in the last epoch', values: trainLoss });
}
const gains = found.static.map((one, s) => one - (found.dynamic[s] as number));
effect({
  effect: 'Dynamic masks give a lower held-out loss than static ones (difference in nats)',
  rule: 'each > 0',
  values: gains,
  shown: gains.every((gain) => gain > 0),
  card: 'expects > 0, not measured',
});
end();
