import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type LinguisticEntityOptions, countBudget, linguisticEntity, roundHalfEven, tagBits } from '../../../src/operators/masks/index.js';
import { anyRatio, anyTokens, count, keyOf } from './grids.js';
import { type Row, anyRow, hiddenIn, plain, row, wordsIn } from './text.js';

const { entity, verb, noun } = tagBits;
const anyShares = fc.record({
  ratio: anyRatio,
  entities: fc.constantFrom(0, 0.5, 1),
  verbs: fc.constantFrom(0, 0.3, 1),
  nouns: fc.constantFrom(0, 1),
  most: fc.constantFrom(512, 3),
});

/** The rule written down from the card, for any order of words and choice of tokens: what is hidden must be one of its outcomes. */
function check(tokens: Row, options: Required<LinguisticEntityOptions>, mask: Uint8Array): void {
  const words = wordsIn(tokens);
  const tagOf = (word: number[]): number => tokens.columns.tags[word[0] as number] as number;
  const quota = (share: number, bit: number): number => {
    const size = words.filter((word) => tagOf(word) & bit).flat().length;
    return share === 0 || size === 0 ? 0 : Math.min(options.most, Math.max(1, roundHalfEven(size * share)));
  };
  const quotas = [quota(options.entities, entity), quota(options.verbs, verb), quota(options.nouns, noun)] as const;
  const all = quotas[0] + quotas[1] + quotas[2];
  const budget = options.ratio === 0 ? all : countBudget(tokens.length, options.ratio, options.most);
  const taken = words.filter((word) => word.some((i) => mask[i] === 1));
  expect(count(mask)).toBeLessThanOrEqual(budget);
  expect(taken.length).toBe(count(mask));
  if (words.length > 0 && budget > 0) expect(count(mask)).toBeGreaterThanOrEqual(1);
  if (options.fill === 'strict') expect(count(mask)).toBe(Math.min(budget, words.length));
}

describe('linguisticEntity', () => {
  it('takes at most one token a word, and never more than the budget; strict fill exactly the budget', () => {
    fc.assert(
      fc.property(anyRow, anyShares, fc.constantFrom('reference' as const, 'strict' as const), fc.nat(), (tokens, shares, fill, id) => {
        const options = { ...shares, fill };
        check(tokens, options, linguisticEntity(options).hide(tokens, keyOf(id)));
      }),
    );
  });

  it('hides exactly one token of "Jack walks towards the road" (card)', () => {
    const jack = row([
      [
        [1, entity],
        [2, verb],
        [2, 0],
        [1, 0],
        [1, noun],
      ],
    ]);
    expect(jack.length).toBe(9);
    const rule = linguisticEntity({ nouns: 0 });
    const seen = new Set<number>();
    for (let id = 0; id < 200; id++) {
      const hidden = hiddenIn(rule.hide(jack, keyOf(id)));
      expect(hidden.length).toBe(1);
      seen.add(hidden[0] as number);
    }
    expect([...seen].sort()).toEqual([1, 2, 3]);
  });

  it('takes only entities where there are more than the budget', () => {
    const tokens = row([Array.from({ length: 20 }, (_, i) => [1, i % 2 === 0 ? entity : 0] as const)]);
    for (let id = 0; id < 50; id++) {
      const hidden = hiddenIn(linguisticEntity().hide(tokens, keyOf(id)));
      expect(hidden.length).toBe(3);
      for (const i of hidden) expect(tokens.columns.tags[i]).toBe(entity);
    }
  });

  it('without tags in the row is the rule without shares, bit for bit', () => {
    fc.assert(
      fc.property(anyRow, fc.nat(), (tokens, id) => {
        const bare = { ...tokens, columns: { ...tokens.columns, tags: new Uint8Array(tokens.special.length) } };
        const none = linguisticEntity({ entities: 0, verbs: 0, nouns: 0 });
        expect(linguisticEntity().hide(bare, keyOf(id))).toEqual(none.hide(tokens, keyOf(id)));
        expect(count(none.hide(tokens, keyOf(id)))).toBe(Math.min(countBudget(tokens.length, 0.15), wordsIn(tokens).length));
      }),
    );
  });

  it('computes quotas from tokens, halves to even, and lets them count words (card)', () => {
    // Five entity words of one piece: round(2.5) = 2 of them. One of three pieces and share 0.5: round(1.5) = 2, but one word.
    const five = row([[...Array.from({ length: 5 }, () => [1, entity] as const), ...Array.from({ length: 33 }, () => [1, 0] as const)]]);
    const entitiesIn = (tokens: Row, mask: Uint8Array): number => hiddenIn(mask).filter((i) => tokens.columns.tags[i] === entity).length;
    for (let id = 0; id < 50; id++) {
      // ratio 0: the budget is the sum of the quotas.
      expect(count(linguisticEntity({ ratio: 0, entities: 0.5 }).hide(five, keyOf(id)))).toBe(2);
      expect(entitiesIn(five, linguisticEntity({ ratio: 0, entities: 0.5 }).hide(five, keyOf(id)))).toBe(2);
    }
    const three = row([
      [
        [3, entity],
        [1, 0],
      ],
    ]);
    for (let id = 0; id < 50; id++) {
      const mask = linguisticEntity({ ratio: 0, entities: 0.5 }).hide(three, keyOf(id));
      expect(entitiesIn(three, mask)).toBe(1);
      // One of two attempts of the fill's budget is left for the entity (covered) or the other word.
      expect(count(mask)).toBeLessThanOrEqual(2);
    }
  });

  it('stops at a quota: entities beyond it are ordinary words of the fill', () => {
    // Quota round(2.5) = 2 of five entities among 40 words, budget round(42 · 0.15) = 6: the fill rarely takes all three others.
    const tokens = row([Array.from({ length: 40 }, (_, i) => [1, i % 8 === 0 ? entity : 0] as const)]);
    let all = 0;
    for (let id = 0; id < 100; id++) {
      const taken = hiddenIn(linguisticEntity({ entities: 0.5 }).hide(tokens, keyOf(id))).filter((i) => tokens.columns.tags[i] === entity).length;
      expect(taken).toBeGreaterThanOrEqual(2);
      if (taken === 5) all++;
    }
    expect(all).toBeLessThan(10);
  });

  it('fills each quota with words of its kind', () => {
    // Quotas round(5 · 0.5) = 2 and 4, budget round(42 · 0.15) = 6: always two of the entities and all four verbs.
    const tokens = row([Array.from({ length: 40 }, (_, i) => [1, i % 8 === 0 ? entity : i % 10 === 1 ? verb : 0] as const)]);
    for (let id = 0; id < 100; id++) {
      const taken = hiddenIn(linguisticEntity({ entities: 0.5 }).hide(tokens, keyOf(id))).map((i) => tokens.columns.tags[i]);
      expect(taken.sort()).toEqual([entity, entity, verb, verb, verb, verb]);
    }
  });

  it("uses up the entities' quota first for a word of several kinds", () => {
    // Both words are entity and noun; with one entity of quota the other is taken as a noun.
    const both = row([[[1, entity | noun], [1, entity | noun], ...Array.from({ length: 8 }, () => [1, 0] as const)]]);
    const rule = linguisticEntity({ ratio: 0, entities: 0.5, verbs: 0, nouns: 0.5 });
    for (let id = 0; id < 30; id++) expect(hiddenIn(rule.hide(both, keyOf(id)))).toEqual([1, 2]);
  });

  it('hides the only word, and nothing without words', () => {
    expect(hiddenIn(linguisticEntity().hide(plain(1), keyOf(3)))).toEqual([1]);
    expect(hiddenIn(linguisticEntity().hide(row([[]]), keyOf(3)))).toEqual([]);
    expect(hiddenIn(linguisticEntity({ ratio: 0 }).hide(plain(5), keyOf(3)))).toEqual([]);
  });

  it('bounds budget and quotas by most', () => {
    const tokens = row([Array.from({ length: 60 }, () => [1, entity] as const)]);
    expect(count(linguisticEntity({ ratio: 1, most: 4 }).hide(tokens, keyOf(0)))).toBe(4);
    expect(count(linguisticEntity({ ratio: 0, most: 4 }).hide(tokens, keyOf(0)))).toBe(4);
  });

  it('takes tokens for words where there is no column, on every grid', () => {
    fc.assert(
      fc.property(anyTokens, fc.nat(), (tokens, id) => {
        const cells = tokens.grid.reduce((product, side) => product * side, 1);
        const mask = linguisticEntity({ fill: 'strict' }).hide({ ...tokens, columns: { tags: new Uint8Array(cells).fill(noun) } }, keyOf(id));
        expect(count(mask)).toBe(Math.min(tokens.length, countBudget(tokens.length, 0.15)));
      }),
    );
  });

  it('carries its recipe, says what it reads and checks its options', () => {
    expect(linguisticEntity().recipe.options).toEqual({ ratio: 0.15, entities: 1, verbs: 1, nouns: 1, fill: 'reference', most: 512 });
    expect(linguisticEntity().reads).toEqual(['tags']);
    expect(linguisticEntity({ entities: 0, verbs: 0, nouns: 0 }).reads).toEqual([]);
    expect(() => linguisticEntity({ ratio: 2 })).toThrow('linguisticEntity.ratio: must lie in [0, 1]; got 2');
    expect(() => linguisticEntity({ verbs: 2 })).toThrow('linguisticEntity.verbs: must lie in [0, 1]; got 2. It is 0 or 1 in the reference.');
    expect(() => linguisticEntity({ fill: 'full' as 'strict' })).toThrow("linguisticEntity.fill: must be 'reference' or 'strict'; got \"full\"");
    expect(() => linguisticEntity({ most: 0 })).toThrow('linguisticEntity.most: must be an integer of at least 1; got 0');
    expect(() => linguisticEntity({ verb: 1 } as never)).toThrow('linguisticEntity.verb: there is no such option. Did you mean verbs?');
    expect(() => linguisticEntity().hide({ grid: [3], length: 3 }, keyOf(0))).toThrow('tags: there is no column tags, which the mask reads');
    expect(() => linguisticEntity().hide({ grid: [3], length: 3, columns: { tags: new Int32Array(3) } }, keyOf(0))).toThrow(
      'tags: the column tags must be uint8 with one number for each of the 3 tokens; got "Int32Array of 3"',
    );
  });
});
