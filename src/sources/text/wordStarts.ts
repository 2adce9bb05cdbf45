// How words are told apart: by the pre-tokenizer's cuts, or by marks on tokens.
import type { Part, TokenizerJson } from './tokenizerJson.js';

/**
 * Where words begin. Sentence pieces mark starts (▁), word pieces continuations (##); byte-level BPE marks spaces (Ġ), but
 * its pre-tokenizer also cuts punctuation off. So words are what the pre-tokenizer cut (undefined), as in Python's
 * `word_ids()`; with sentence pieces, and where no pre-tokenizer cuts, the marker decides.
 */
export function wordStartsOf({ model, pre_tokenizer }: TokenizerJson, tokens: readonly (string | undefined)[]): Uint8Array | undefined {
  const parts = (part: Part | null | undefined): readonly Part[] => {
    if (part === null || part === undefined) return [];
    return part.type === 'Sequence' ? ((part as { pretokenizers?: Part[] }).pretokenizers ?? []).flatMap(parts) : [part];
  };
  const cutters = parts(pre_tokenizer);
  const cuts = cutters.some(({ type, use_regex }) => !(type === 'ByteLevel' && use_regex === false));
  if (cuts && !cutters.some(({ type }) => type === 'Metaspace')) return undefined;
  const prefix = model.type === 'WordPiece' ? (model.continuing_subword_prefix ?? '##') : undefined;
  const starts = (token: string): boolean => (prefix !== undefined ? !token.startsWith(prefix) : /^[▁Ġ]/u.test(token));
  return Uint8Array.from(tokens, (token) => (token !== undefined && starts(token) ? 1 : 0));
}
