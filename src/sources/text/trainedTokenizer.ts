// A tokenizer.json of a wanted size from what a trainer has learnt. Pure: special tokens first, then the alphabet, then merges
// in the order learnt, as Hugging Face's own trainers number them.
import { MaskflowError } from '../../core/errors.js';
import type { Learnt } from './trainNative.js';

export interface TrainedOptions {
  readonly kind: 'bytePairs' | 'wordPiece';
  readonly vocabulary: number;
  readonly lowercase: boolean;
  readonly prefixSpace: boolean;
  /** Names of the special tokens; ids 0, 1, … in this order. */
  readonly special: { readonly pad: string; readonly unk: string; readonly cls: string; readonly sep: string; readonly mask: string };
  readonly more: readonly string[];
}

/** Entries at which the native trainer stops; it takes no other number. */
const nativeLimit = 30_000;

/** The characters that stand for bytes in byte-level models: printable ones themselves, the others from U+0100 on; in order of code. */
export function byteAlphabet(): string[] {
  const printable = (byte: number): boolean => (byte >= 33 && byte <= 126) || (byte >= 161 && byte <= 172) || byte >= 174;
  let next = 0x100;
  return Array.from({ length: 256 }, (_, byte) => (printable(byte) ? byte : next++))
    .sort((a, b) => a - b)
    .map((point) => String.fromCharCode(point));
}

/** The file's content. Throws where the corpus or the trainer yield fewer entries than are wanted, or the alphabet alone has more. */
export function trainedTokenizer({ merges, entries, characters, continuing }: Learnt, options: TrainedOptions): object {
  const { kind, vocabulary, special, more, lowercase, prefixSpace } = options;
  const specials = [special.pad, special.unk, special.cls, special.sep, special.mask, ...more];
  const alphabet = kind === 'bytePairs' ? byteAlphabet() : [...characters, ...continuing.map((character) => `##${character}`)];
  const vocab = new Map<string, number>();
  const put = (token: string): void => void (vocab.has(token) || vocab.set(token, vocab.size));
  for (const token of [...specials, ...alphabet]) put(token);
  const least = vocab.size;
  if (vocabulary < least) {
    throw new MaskflowError({
      stage: 'trainTokenizer',
      option: 'vocabulary',
      rule: `must be at least ${least}: ${specials.length} special tokens and ${kind === 'bytePairs' ? '256 bytes' : `${alphabet.length} characters of the corpus`}`,
      value: vocabulary,
      ...(kind === 'wordPiece' ? { hint: "Rare characters fill it up: clean the corpus, or take kind: 'bytePairs', which needs 256 for any text." } : {}),
    });
  }
  const used: (readonly [string, string])[] = [];
  for (const [left, right] of merges) {
    if (vocab.size === vocabulary) break;
    used.push([left, right]);
    put(left + (kind === 'wordPiece' && right.startsWith('##') ? right.slice(2) : right));
  }
  if (vocab.size < vocabulary) {
    throw new MaskflowError({
      stage: 'trainTokenizer',
      option: 'vocabulary',
      rule:
        entries >= nativeLimit
          ? `can be at most ${vocab.size}: the native trainer stops at ${nativeLimit} entries and takes no other number`
          : `can be at most ${vocab.size}: the corpus has no more pairs to merge`,
      value: vocabulary,
      hint:
        entries >= nativeLimit
          ? 'Take a smaller one, or train it in Python and open its tokenizer.json by tokenizer(file).'
          : 'Take a smaller one, or more text.',
    });
  }
  const id = (token: string): number => vocab.get(token) as number;
  const around = (name: string, type_id: number): object => ({ SpecialToken: { id: name, type_id } });
  const text = (name: 'A' | 'B', type_id: number): object => ({ Sequence: { id: name, type_id } });
  const single = [around(special.cls, 0), text('A', 0), around(special.sep, 0)];
  const byteLevel = { type: 'ByteLevel', add_prefix_space: prefixSpace, trim_offsets: true, use_regex: true };
  const isBytes = kind === 'bytePairs';
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: specials.map((content) => ({ id: id(content), content, single_word: false, lstrip: false, rstrip: false, normalized: false, special: true })),
    normalizer: isBytes
      ? lowercase
        ? { type: 'Lowercase' }
        : null
      : { type: 'BertNormalizer', clean_text: true, handle_chinese_chars: true, strip_accents: null, lowercase },
    pre_tokenizer: isBytes ? byteLevel : { type: 'BertPreTokenizer' },
    post_processor: {
      type: 'TemplateProcessing',
      single,
      pair: [...single, text('B', 1), around(special.sep, 1)],
      special_tokens: Object.fromEntries([special.cls, special.sep].map((name) => [name, { id: name, ids: [id(name)], tokens: [name] }])),
    },
    decoder: isBytes ? byteLevel : { type: 'WordPiece', prefix: '##', cleanup: true },
    model: isBytes
      ? {
          type: 'BPE',
          dropout: null,
          unk_token: null,
          continuing_subword_prefix: null,
          end_of_word_suffix: null,
          fuse_unk: false,
          byte_fallback: false,
          ignore_merges: false,
          vocab: Object.fromEntries(vocab),
          merges: used,
        }
      : { type: 'WordPiece', unk_token: special.unk, continuing_subword_prefix: '##', max_input_chars_per_word: 100, vocab: Object.fromEntries(vocab) },
  };
}
