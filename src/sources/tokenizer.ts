// Any Hugging Face tokenizer.json, from a file or a model's folder. The text between special tokens goes to a library
// (text/tokenizerLibrary.ts); special tokens, cutting, padding and packing are ours, so that they are the same everywhere.
import { MaskflowError } from '../core/errors.js';
import { check, checkOptions } from '../core/options.js';
import { recipe } from '../core/recipe.js';
import type { Encoded, TextOrWords, Tokenizer } from '../operators/views/tokenizer.js';
import { type SpecialName, type TokenizerFile, readTokenizer, specialNames } from './text/tokenizerFile.js';
import { type Library, javascript, native, nativeModule } from './text/tokenizerLibrary.js';
import { counted } from './text/wordCounter.js';

export interface TokenizerOptions {
  /** Special tokens by name, where they are not the usual ones ([MASK], <mask>, …) nor named by the files beside it. */
  readonly special?: Partial<Readonly<Record<SpecialName, string>>>;
  /** Which library reads text: `native` (npm `tokenizers`) or `javascript` (@huggingface/tokenizers); the same ids. Default: native where it loads. */
  readonly library?: 'native' | 'javascript';
}

/** Distinct words of lists that are kept with their ids, so that gold words are looked up and not encoded again. */
const cachedWords = 2 ** 17;

/**
 * Opens a tokenizer. Vocabulary size and special ids are there at once, so that corruptions and models take them from it.
 *
 * Words (`words` of `tokenize`) are what the tokenizer's pre-tokenizer cuts (Python's `word_ids()`); where it has none,
 * tokens that begin with ▁ (or Ġ) start a word, or those without the word-piece prefix.
 *
 * @throws MaskflowError for a file that is missing, no tokenizer.json, or draws at random (BPE dropout); a special token
 * that it does not have; a template that is not read; a library that is not there.
 *
 * @example
 * const words = await tokenizer('tokenizer.json');
 * textLines('corpus.txt').pipe(batch(32), tokenize(words, { length: 128 }), mask(bernoulli({ ratio: 0.15 })), corrupt({ maskId: words.maskId, vocabulary: words.vocabulary }));
 */
export async function tokenizer(path: string, options: TokenizerOptions = {}): Promise<Tokenizer> {
  checkOptions('tokenizer', options, ['special', 'library']);
  const { special = {}, library } = options;
  check(typeof path === 'string' && path !== '', 'tokenizer', 'path', 'must name a tokenizer.json or a folder that holds one', path);
  checkOptions('tokenizer', special, specialNames);
  check(library === undefined || library === 'native' || library === 'javascript', 'tokenizer', 'library', "must be 'native' or 'javascript'", library);
  const file = await readTokenizer(path, special);
  const plain = await javascript(file).catch((error: unknown) => {
    if (library === 'javascript') throw error;
    return error as MaskflowError;
  });
  const module = library === 'javascript' ? undefined : nativeModule();
  if (library === 'native' && module === undefined) {
    throw new MaskflowError({
      stage: 'tokenizer',
      option: 'library',
      rule: 'the native library is not installed, or has no build for this machine',
      value: library,
      hint: 'npm install tokenizers@0.23.2, or leave the option out.',
    });
  }
  if (module === undefined && plain instanceof MaskflowError) throw plain;
  const reader = module === undefined ? (plain as Library) : native(file, module);
  const made = recipe('maskflow/sources', 'tokenizer', { path, fingerprint: file.fingerprint, ...(Object.keys(special).length > 0 && { special }) });
  return {
    vocabulary: file.vocabulary,
    ids: file.ids,
    get maskId() {
      if (file.ids.mask !== undefined) return file.ids.mask;
      throw new MaskflowError({
        stage: 'tokenizer',
        where: path,
        rule: 'it has no mask token',
        hint: "Name the token that stands for hidden ones: tokenizer(file, { special: { mask: '<|mask|>' } }); or add one in Python: tokenizer.add_special_tokens(['[MASK]']), and save it.",
      });
    },
    special: file.special,
    template: file.template,
    fingerprint: file.fingerprint,
    recipe: made,
    encode: encoder(file, reader),
    decode(ids, { special: withSpecial = false } = {}) {
      if (plain instanceof MaskflowError) throw plain;
      return plain.decode(checkedIds(ids, file.vocabulary), withSpecial);
    },
    token: (id) => file.tokens[id],
  };
}

function checkedIds(ids: ArrayLike<number>, vocabulary: number): number[] {
  const list = Array.from(ids);
  const wrong = list.find((id) => !Number.isInteger(id) || id < 0 || id >= vocabulary);
  if (wrong !== undefined) throw new MaskflowError({ stage: 'tokenizer', option: 'ids', rule: `must be integers from 0 to ${vocabulary - 1}`, value: wrong });
  return list;
}

/** Texts by the library in one call; lists of words by a table of the words seen, the new ones by the library in one call. */
function encoder(file: TokenizerFile, library: Library): (texts: readonly TextOrWords[]) => Promise<readonly Encoded[]> {
  const known = new Map<string, ArrayLike<number>>();
  const learn = async (texts: readonly TextOrWords[]): Promise<void> => {
    const fresh = new Set<string>();
    for (const text of texts) if (typeof text !== 'string') for (const word of text) if (!known.has(word)) fresh.add(word);
    if (fresh.size === 0) return;
    const list = [...fresh];
    const pieces = await library.encode(list);
    for (const [i, word] of list.entries()) known.set(word, Int32Array.from(pieces[i]?.ids ?? []));
  };
  const looked = (list: readonly string[]): Encoded => {
    const ids: number[] = [];
    const words: number[] = [];
    list.forEach((word, index) => {
      const own = known.get(word) as ArrayLike<number>;
      for (let i = 0; i < own.length; i++) {
        ids.push(own[i] as number);
        words.push(index);
      }
    });
    return { ids, words, wordCount: list.length };
  };
  let under = 0;
  return async (texts) => {
    const whole = texts.filter((text) => typeof text === 'string');
    under++;
    try {
      const pieces = whole.length === 0 ? [] : await library.encode(whole);
      if (whole.length < texts.length) await learn(texts);
      let at = 0;
      return texts.map((text) => (typeof text === 'string' ? counted(pieces[at++] as (typeof pieces)[number], file) : looked(text)));
    } finally {
      // No other call may count on the words that are forgotten.
      if (--under === 0 && known.size > cachedWords) known.clear();
    }
  };
}
