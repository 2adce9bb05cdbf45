// Linguistic entity masking (LEM, 2501.05700; official code): one token each of named entities, verbs and nouns first, other
// words only for what is left of the budget. The reference's order and quotas are kept, its oddities included: quotas are
// computed from tokens and then count words, and in the fill a word that is covered already still uses up one attempt.
import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { neededColumn } from './columnOf.js';
import { checkMost, countBudget, roundHalfEven } from './countBudget.js';
import { beginDraws, beginOrder, drawBelow, inOrder } from './draws.js';
import { type Mask, checkRatio, checkedCells } from './select.js';
import { freshBytes } from '../../core/slab.js';
import { wordsOf } from './wordsOf.js';

export interface LinguisticEntityOptions {
  /** Share of the tokens that is hidden in all, special ones counted; 0: as many as the three quotas give. Default 0.15. */
  readonly ratio?: number;
  /** Share of the tokens of named entities that gives their quota, in [0, 1]. Default 1. */
  readonly entities?: number;
  /** The same for verbs. Default 1. */
  readonly verbs?: number;
  /** The same for nouns. Default 1. */
  readonly nouns?: number;
  /** `reference`: covered words use up attempts of the fill, so a row may stay below its budget; `strict`: they do not. */
  readonly fill?: 'reference' | 'strict';
  /** Most tokens hidden in a row, and of each kind. Default 512. */
  readonly most?: number;
}

/** Bits of the column `tags`; a word may have several. */
export const tagBits = { entity: 1, verb: 2, noun: 4 } as const;

/** Words taken by the pass through the order that runs: reused, so nothing is allocated a mask. */
let covered = new Uint8Array(256);

/**
 * Hides one token of each chosen word. The budget is min(most, max(1, round(length · ratio))), halves to the even number,
 * special tokens counted; the quota of a kind with share p is 0 where p = 0 or the row has none, else min(most, max(1,
 * round(p · its tokens))). In a random order of all words first those whose kind has quota left (a word of several kinds uses
 * up the entities' quota first, then the verbs', then the nouns'), then others until the budget is reached. So never two
 * tokens of one word, never more than the budget, and at least one token where there is a word and ratio > 0.
 *
 * Reads the column `tags` (uint8 [rows, length], 1 = entity, 2 = verb, 4 = noun, added up; that of a word's first token
 * counts) unless all three shares are 0, and words as runs of the column `words`; without it every token is a word.
 *
 * @throws MaskflowError for an unknown option, shares outside [0, 1], another `fill`, or `most` below 1
 *
 * @example
 * tagged.pipe(mask(linguisticEntity({ entities: 1, verbs: 0, nouns: 0 })));
 */
export function linguisticEntity(options: LinguisticEntityOptions = {}): Mask {
  const stage = 'linguisticEntity';
  checkOptions(stage, options, ['ratio', 'entities', 'verbs', 'nouns', 'fill', 'most']);
  const { ratio = 0.15, entities = 1, verbs = 1, nouns = 1, fill = 'reference', most = 512 } = options;
  checkRatio(stage, ratio);
  for (const [name, share] of Object.entries({ entities, verbs, nouns })) {
    check(typeof share === 'number' && share >= 0 && share <= 1, stage, name, 'must lie in [0, 1]', share, 'It is 0 or 1 in the reference.');
  }
  check(fill === 'reference' || fill === 'strict', stage, 'fill', "must be 'reference' or 'strict'", fill);
  checkMost(stage, most);
  const tagged = entities > 0 || verbs > 0 || nouns > 0;
  const quota = (share: number, count: number): number => (share === 0 || count === 0 ? 0 : Math.min(most, Math.max(1, roundHalfEven(share * count))));
  return {
    recipe: recipe('maskflow/operators', stage, { ratio, entities, verbs, nouns, fill, most }),
    reads: tagged ? ['tags'] : [],
    readsIfPresent: ['words'],
    hide(tokens, key) {
      const hidden = freshBytes(checkedCells(tokens));
      const { count, starts, ends } = wordsOf(tokens);
      const tags = tagged ? neededColumn(tokens, 'tags', 'uint8') : undefined;
      // 1. Quotas and budget.
      let [ofEntities, ofVerbs, ofNouns] = [0, 0, 0];
      for (let word = 0; word < count && tags !== undefined; word++) {
        const tag = tags[starts[word] as number] as number;
        const size = (ends[word] as number) - (starts[word] as number);
        if ((tag & tagBits.entity) !== 0) ofEntities += size;
        if ((tag & tagBits.verb) !== 0) ofVerbs += size;
        if ((tag & tagBits.noun) !== 0) ofNouns += size;
      }
      ofEntities = quota(entities, ofEntities);
      ofVerbs = quota(verbs, ofVerbs);
      ofNouns = quota(nouns, ofNouns);
      const budget = ratio === 0 ? ofEntities + ofVerbs + ofNouns : countBudget(tokens.length, ratio, most);
      // 2. Words with a tag, as long as there is quota for it.
      if (covered.length < count) covered = new Uint8Array(2 * count);
      covered.fill(0, 0, count);
      beginDraws(key);
      beginOrder(count);
      const hideOneOf = (word: number): void => {
        const start = starts[word] as number;
        const size = (ends[word] as number) - start;
        hidden[size === 1 ? start : start + drawBelow(size)] = 1;
        covered[word] = 1;
      };
      let chosen = 0;
      for (let place = 0; place < count && chosen < budget && ofEntities + ofVerbs + ofNouns > 0; place++) {
        const word = inOrder(place);
        const tag = tags?.[starts[word] as number] as number;
        if ((tag & tagBits.entity) !== 0 && ofEntities > 0) ofEntities--;
        else if ((tag & tagBits.verb) !== 0 && ofVerbs > 0) ofVerbs--;
        else if ((tag & tagBits.noun) !== 0 && ofNouns > 0) ofNouns--;
        else continue;
        hideOneOf(word);
        chosen++;
      }
      // 3. The rest of the budget from the other words, in the same order.
      let attempts = budget - chosen;
      for (let place = 0; place < count && attempts > 0; place++) {
        const word = inOrder(place);
        if (covered[word] === 0) hideOneOf(word);
        else if (fill === 'strict') continue;
        attempts--;
      }
      return hidden;
    },
  };
}
