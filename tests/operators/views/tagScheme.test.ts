// Tags to kinds by the schemes, and which patterns are legal.
import { describe, expect, it } from 'vitest';
import { tagBits } from '../../../src/operators/masks/linguisticEntity.js';
import { type SchemeName, checkPatterns, kindOf, tagScheme } from '../../../src/operators/views/tagScheme.js';

const { entity, verb, noun } = tagBits;

describe('kindOf', () => {
  it.each([
    ['universal', { VERB: verb, NOUN: noun, PROPN: entity | noun, AUX: 0, ADJ: 0, X: 0 }],
    ['penn', { VB: verb, VBZ: verb, MD: 0, NN: noun, NNS: noun, NNP: entity | noun, NNPS: entity | noun, CD: 0, JJ: 0 }],
    [
      'brown',
      {
        vb: verb,
        'vbd-hl': verb,
        'vb+ppo': verb,
        nn: noun,
        nns$: noun,
        np: entity | noun,
        'np$-tl': entity | noun,
        bedz: 0,
        hv: 0,
        'do*': 0,
        'fw-nn': 0,
        at: 0,
      },
    ],
    ['bio', { 'B-PER': entity, 'I-LOC': entity, 'E-ORG': entity, 'S-MISC': entity, 'L-ORG': entity, 'U-PER': entity, O: 0 }],
  ] satisfies [SchemeName, Record<string, number>][])('%s', (name, expected) => {
    const kind = kindOf(tagScheme('test', name));
    expect(Object.fromEntries(Object.keys(expected).map((tag) => [tag, kind(tag)]))).toEqual(expected);
  });

  it('takes a pattern without * to the letter', () => {
    const kind = kindOf({ entities: ['*'], verbs: ['VB'], nouns: [] });
    expect([kind('VB'), kind('VBZ')]).toEqual([entity | verb, entity]);
  });
});

it('refuses other schemes and patterns', () => {
  expect(() => tagScheme('goldTags', 'upos' as never)).toThrow('goldTags.scheme: must be one of universal, penn, brown, bio; got "upos".');
  expect(() => tagScheme('goldTags', 'toString' as never)).toThrow('must be one of');
  for (const patterns of ['VB*', ['V*B'], [''], [1]])
    expect(() => checkPatterns('goldTags', 'verbs', patterns)).toThrow("goldTags.verbs: must list tags, or their beginnings with * behind: ['NOUN', 'NN*']");
});
