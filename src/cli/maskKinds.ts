// KIND on the command line: one of our masks by its name, or a file that exports one.
import { existsSync } from 'node:fs';
import { MaskflowError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import { type Mask, bernoulli, block, colorNoise, countBased, linguisticEntity, random, spans, tlm, wholeWord } from '../operators/masks/index.js';
import { loadModule } from './loadModule.js';

type Factory = (options: Readonly<Record<string, unknown>>) => Mask;

/** Every mask that has a name; one line here is all that a new one needs. The factories check the options. */
const named: Readonly<Record<string, { readonly make: Factory; readonly about: string }>> = {
  random: { make: random, about: 'uniformly random tokens (ratio)' },
  block: { make: block, about: 'rectangles, spans, boxes (ratio, minCells, aspect)' },
  colorNoise: { make: colorNoise, about: 'blobs of coloured noise (ratio, color, sigma, sigma1, sigma2, side, patterns, bankSeed)' },
  bernoulli: { make: bernoulli, about: 'each token by a coin of its own (ratio)' },
  countBased: { make: countBased, about: "BERT's rounded share of the row (ratio, most)" },
  wholeWord: { make: wholeWord, about: 'all pieces of a word or none (ratio, most)' },
  spans: { make: spans, about: 'runs of whole words, as SpanBERT (ratio, geometric, longest)' },
  linguisticEntity: { make: linguisticEntity, about: 'entities, verbs, nouns first, one token each (ratio, entities, verbs, nouns, fill, most)' },
  tlm: { make: tlm, about: 'coins for all but the first token, as XLM (ratio)' },
};

/** For help texts: a line for each name. */
export const kindsHelp: string = Object.entries(named)
  .map(([name, { about }]) => `  ${name.padEnd(16)} ${about}`)
  .join('\n');

/** The mask that KIND and its options mean. Wrong options are usage errors that say which mask has refused them. */
export async function maskOf(kind: string, options: Readonly<Record<string, unknown>>): Promise<Mask> {
  if (Object.hasOwn(named, kind)) return made(named[kind]?.make as Factory, kind, options);
  if (/[\\/]|\.[cm]?[jt]s$/u.test(kind)) return exported(kind, options);
  const near = nearest(kind, Object.keys(named));
  const hint = `${near ? `Did you mean ${near}? ` : ''}Masks: ${Object.keys(named).join(', ')}; a file that exports one: ./my-mask.ts.`;
  throw new MaskflowError({ stage: 'maskflow', option: 'KIND', rule: 'there is no such mask', value: kind, hint });
}

function made(make: Factory, kind: string, options: Readonly<Record<string, unknown>>): Mask {
  try {
    return make(options);
  } catch (error) {
    if (!(error instanceof MaskflowError)) throw error;
    throw new MaskflowError({ ...error.problem, stage: 'maskflow', option: error.problem.option ?? 'KIND', where: `mask ${kind}`, cause: error });
  }
}

async function exported(file: string, options: Readonly<Record<string, unknown>>): Promise<Mask> {
  const hint = 'Write export default select(score, { ratio }), or a function of options that returns it.';
  const refuse = (rule: string, value: unknown): MaskflowError => new MaskflowError({ stage: 'maskflow', option: 'KIND', rule, value, where: file, hint });
  if (!existsSync(file))
    throw new MaskflowError({
      stage: 'maskflow',
      option: 'KIND',
      rule: 'there is no such file',
      value: file,
      hint: `Masks of ours: ${Object.keys(named).join(', ')}.`,
    });
  const { default: given } = await loadModule(file);
  if (isMask(given)) {
    const [option] = Object.keys(options);
    if (option === undefined) return given;
    throw new MaskflowError({
      stage: 'maskflow',
      option,
      rule: 'the file exports a mask that is made already, so it takes no options',
      where: file,
      hint: 'Export a function of options that returns the mask.',
    });
  }
  if (typeof given !== 'function') throw refuse('the file must export a mask, or a function that makes one, as its default', given);
  const result: unknown = made(given as Factory, file, options);
  if (!isMask(result)) throw refuse('the function that the file exports must return a mask', result);
  return result;
}

function isMask(value: unknown): value is Mask {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as Partial<Mask>).hide === 'function' &&
    typeof (value as Partial<Mask>).recipe?.name === 'string'
  );
}
