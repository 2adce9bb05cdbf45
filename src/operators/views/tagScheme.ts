// From tags to kinds: which part-of-speech tags and labels are verbs, nouns and entities. Patterns, so that a scheme is data.
import { MaskflowError } from '../../core/errors.js';
import { check } from '../../core/options.js';

/** Patterns of tags: a tag itself, or its beginning and `*`. */
export interface TagScheme {
  readonly entities: readonly string[];
  readonly verbs: readonly string[];
  readonly nouns: readonly string[];
}

export type SchemeName = 'universal' | 'penn' | 'brown' | 'bio';

/**
 * `universal`: UPOS of Universal Dependencies; auxiliaries are no verbs there. `penn`: VB* includes be, have and do, NN* proper nouns, as the
 * reference of LEM has it. `brown`: tags of the Brown corpus, whatever follows (`np-tl`, `nn$`); be, have and do have tags of their own
 * and are no verbs. `bio`: any label of an entity, IOB1, IOB2, IOBES or BILOU. Proper nouns are entities and nouns.
 */
export const tagSchemes: Readonly<Record<SchemeName, TagScheme>> = {
  universal: { entities: ['PROPN'], verbs: ['VERB'], nouns: ['NOUN', 'PROPN'] },
  penn: { entities: ['NNP*'], verbs: ['VB*'], nouns: ['NN*'] },
  brown: { entities: ['np*'], verbs: ['vb*'], nouns: ['nn*', 'np*'] },
  bio: { entities: ['B-*', 'I-*', 'E-*', 'S-*', 'L-*', 'U-*'], verbs: [], nouns: [] },
};

/** Throws unless these are patterns, `*` at their end alone. */
export function checkPatterns(stage: string, option: string, patterns: unknown): void {
  const fits = Array.isArray(patterns) && patterns.every((pattern) => typeof pattern === 'string' && /^[^*]*\*?$/u.test(pattern) && pattern !== '');
  check(fits, stage, option, "must list tags, or their beginnings with * behind: ['NOUN', 'NN*']", patterns);
}

/** The bits of a tag: 1 = entity, 2 = verb, 4 = noun. Answers are kept, for a corpus has few tags. */
export function kindOf({ entities, verbs, nouns }: TagScheme): (tag: string) => number {
  const fits = (tag: string, patterns: readonly string[]): boolean =>
    patterns.some((pattern) => (pattern.endsWith('*') ? tag.startsWith(pattern.slice(0, -1)) : tag === pattern));
  const known = new Map<string, number>();
  return (tag) => {
    let bits = known.get(tag);
    if (bits === undefined) {
      bits = (fits(tag, entities) ? 1 : 0) + (fits(tag, verbs) ? 2 : 0) + (fits(tag, nouns) ? 4 : 0);
      known.set(tag, bits);
    }
    return bits;
  };
}

/** The scheme of a name, or an error that lists the names. */
export function tagScheme(stage: string, name: SchemeName): TagScheme {
  const scheme = Object.hasOwn(tagSchemes, name) ? tagSchemes[name] : undefined;
  if (scheme !== undefined) return scheme;
  throw new MaskflowError({ stage, option: 'scheme', rule: `must be one of ${Object.keys(tagSchemes).join(', ')}`, value: name });
}
