// Small tokenizers of every kind that the tests read, as the content of their tokenizer.json.
import { trainedTokenizer } from '../../../src/sources/text/trainedTokenizer.js';
import { byteAlphabet } from '../../../src/sources/text/trainedTokenizer.js';

const special = { pad: '[PAD]', unk: '[UNK]', cls: '[CLS]', sep: '[SEP]', mask: '[MASK]' };
const letters = [...'abcdefghijklmnopqrstuvwxyz'];
const added = (contents: readonly string[], first = 0): object[] =>
  contents.map((content, i) => ({ id: first + i, content, single_word: false, lstrip: content === '<mask>', rstrip: false, normalized: false, special: true }));

const byteMerges: [string, string][] = [
  ['t', 'h'],
  ['th', 'e'],
  ['Ġ', 'the'],
  ['Ġ', 'w'],
  ['o', 'r'],
  ['Ġw', 'or'],
  ['l', 'd'],
  ['Ġwor', 'ld'],
  ["'", 't'],
  ['Ã', '©'],
];

/** Byte-level BPE as trainTokenizer writes it: [CLS] A [SEP] B [SEP]. */
export const bytePairs = trainedTokenizer(
  { merges: byteMerges, entries: 300, characters: [], continuing: [] },
  { kind: 'bytePairs', vocabulary: 271, lowercase: false, prefixSpace: true, special, more: [] },
);

/** BERT's word pieces. */
export const wordPiece = trainedTokenizer(
  {
    merges: [
      ['t', '##h'],
      ['th', '##e'],
      ['w', '##o'],
      ['wo', '##r'],
      ['##l', '##d'],
    ],
    entries: 300,
    characters: [...letters, ...".,!?'"],
    continuing: letters,
  },
  { kind: 'wordPiece', vocabulary: 67, lowercase: true, prefixSpace: true, special, more: [] },
);

/** RoBERTa: byte-level BPE without a space in front, <s> A </s></s> B </s>. */
export const roberta = {
  ...(bytePairs as Record<string, unknown>),
  added_tokens: added(['<s>', '<pad>', '</s>', '<unk>', '<mask>']),
  pre_tokenizer: { type: 'ByteLevel', add_prefix_space: false, trim_offsets: true, use_regex: true },
  post_processor: { type: 'RobertaProcessing', sep: ['</s>', 2], cls: ['<s>', 0], trim_offsets: true, add_prefix_space: false },
  model: {
    ...((bytePairs as { model: object }).model as object),
    vocab: Object.fromEntries(
      Object.entries((bytePairs as { model: { vocab: Record<string, number> } }).model.vocab).map(([token, id]) => [
        ['<s>', '<pad>', '</s>', '<unk>', '<mask>'][id] ?? token,
        id,
      ]),
    ),
  },
};

/** Sentence pieces by a unigram model, as XLM-R and ALBERT have them. */
export const unigram = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: added(['<s>', '<pad>', '</s>', '<unk>', '<mask>']),
  normalizer: { type: 'Sequence', normalizers: [{ type: 'NFKC' }, { type: 'Lowercase' }] },
  pre_tokenizer: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }, { SpecialToken: { id: '</s>', type_id: 0 } }],
    pair: [
      { SpecialToken: { id: '<s>', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '</s>', type_id: 0 } },
      { SpecialToken: { id: '</s>', type_id: 0 } },
      { Sequence: { id: 'B', type_id: 0 } },
      { SpecialToken: { id: '</s>', type_id: 0 } },
    ],
    special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] }, '</s>': { id: '</s>', ids: [2], tokens: ['</s>'] } },
  },
  decoder: { type: 'Metaspace', replacement: '▁', prepend_scheme: 'always', split: true },
  model: {
    type: 'Unigram',
    unk_id: 3,
    byte_fallback: false,
    vocab: [
      ...['<s>', '<pad>', '</s>', '<unk>', '<mask>'].map((token) => [token, 0]),
      ...['▁', '▁the', '▁world', 'or', 'ld', '▁w', 'the', '▁a'].map((token, i) => [token, -3 - i / 10]),
      ...[...letters, ...".,!?'"].map((token, i) => [token, -6 - i / 100]),
    ],
  },
};

/** Sentence pieces by merges with bytes for what is unknown and no pre-tokenizer, as Llama 2 has them. */
export const llama = {
  version: '1.0',
  truncation: null,
  padding: null,
  added_tokens: added(['<unk>', '<s>', '</s>']),
  normalizer: {
    type: 'Sequence',
    normalizers: [
      { type: 'Prepend', prepend: '▁' },
      { type: 'Replace', pattern: { String: ' ' }, content: '▁' },
    ],
  },
  pre_tokenizer: null,
  post_processor: {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [
      { SpecialToken: { id: '<s>', type_id: 0 } },
      { Sequence: { id: 'A', type_id: 0 } },
      { SpecialToken: { id: '<s>', type_id: 1 } },
      { Sequence: { id: 'B', type_id: 1 } },
    ],
    special_tokens: { '<s>': { id: '<s>', ids: [1], tokens: ['<s>'] } },
  },
  decoder: {
    type: 'Sequence',
    decoders: [
      { type: 'Replace', pattern: { String: '▁' }, content: ' ' },
      { type: 'ByteFallback' },
      { type: 'Fuse' },
      { type: 'Strip', content: ' ', start: 1, stop: 0 },
    ],
  },
  model: {
    type: 'BPE',
    dropout: null,
    unk_token: '<unk>',
    continuing_subword_prefix: null,
    end_of_word_suffix: null,
    fuse_unk: true,
    byte_fallback: true,
    ignore_merges: false,
    vocab: Object.fromEntries(
      [
        ...['<unk>', '<s>', '</s>'],
        ...Array.from({ length: 256 }, (_, byte) => `<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`),
        ...['▁', ...letters, ...".,!?'"],
        ...['th', 'the', '▁the', '▁w', 'or', '▁wor', 'ld', '▁world'],
      ].map((token, id) => [token, id]),
    ),
    merges: [
      ['t', 'h'],
      ['th', 'e'],
      ['▁', 'the'],
      ['▁', 'w'],
      ['o', 'r'],
      ['▁w', 'or'],
      ['l', 'd'],
      ['▁wor', 'ld'],
    ],
  },
};

export const kinds = { bytePairs, wordPiece, roberta, unigram, llama };
export { byteAlphabet };
