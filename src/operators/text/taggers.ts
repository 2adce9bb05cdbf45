// Two taggers as one: parts of speech from one, named entities from the other.
import { check, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import type { Tagged, Tagger } from '../views/tagger.js';

export interface TaggersOptions {
  /** Says which words are verbs and nouns. */
  readonly pos: Tagger;
  /** Says which words are named entities. */
  readonly entities: Tagger;
}

const [entity, parts] = [1, 6];

/** Verbs and nouns of one answer, entities of another, about the same text. Of a list word by word; of a text all spans of both. */
export function bothOf(pos: Tagged, entities: Tagged): Tagged {
  if (pos.spans === undefined || entities.spans === undefined) {
    return { bits: pos.bits.map((bits, i) => (bits & parts) | ((entities.bits[i] as number) & entity)) };
  }
  const bits = new Uint8Array(pos.bits.length + entities.bits.length);
  const spans = new Int32Array(2 * bits.length);
  bits.set(pos.bits.map((kind) => kind & parts));
  bits.set(
    entities.bits.map((kind) => kind & entity),
    pos.bits.length,
  );
  spans.set(pos.spans);
  spans.set(entities.spans, pos.spans.length);
  return { bits, spans };
}

/**
 * A tagger that takes verbs and nouns from `pos`, entities from `entities`. The two need not cut words alike.
 *
 * @throws MaskflowError unless both are taggers
 * @example
 * tag(taggers({ pos: await winkTagger(), entities: await compromiseTagger() }), { tokenizer: words });
 */
export function taggers(options: TaggersOptions): Tagger {
  checkOptions('taggers', options, ['pos', 'entities']);
  const { pos, entities } = options;
  for (const [name, tagger] of Object.entries({ pos, entities })) {
    check(typeof tagger?.tag === 'function', 'taggers', name, 'must be a tagger', tagger, 'winkTagger, compromiseTagger, onnxTagger, goldTags make one.');
  }
  const first = pos.reads?.length ?? 0;
  return {
    recipe: recipe('maskflow/operators', 'taggers', { pos: pos.recipe, entities: entities.recipe }),
    fingerprint: `verbs and nouns: ${pos.fingerprint}; entities: ${entities.fingerprint}`,
    reads: [...(pos.reads ?? []), ...(entities.reads ?? [])],
    async tag(texts, columns) {
      const [one, other] = [await pos.tag(texts, columns.slice(0, first)), await entities.tag(texts, columns.slice(first))];
      return one.map((tagged, n) => bothOf(tagged, other[n] as Tagged));
    },
    async flush() {
      await pos.flush?.();
      await entities.flush?.();
    },
  };
}
