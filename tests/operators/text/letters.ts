// A tokenizer that needs no file: a token is a letter, a word is what spaces part; ids 0 to 4 are special.
import { recipe } from '../../../src/core/recipe.js';
import type { Encoded, TextOrWords, Tokenizer } from '../../../src/operators/views/tokenizer.js';

const first = 5;
const vocabulary = first + 26;

function encoded(text: TextOrWords): Encoded {
  const list = typeof text === 'string' ? text.split(' ').filter((word) => word !== '') : text;
  const ids: number[] = [];
  const words: number[] = [];
  list.forEach((word, index) => {
    for (const letter of word === '[MASK]' ? [word] : word) {
      ids.push(letter === '[MASK]' ? 4 : first + letter.charCodeAt(0) - 97);
      words.push(index);
    }
  });
  return { ids, words, wordCount: list.length };
}

/** `delay`: turns of the event loop that encoding takes; `asked` counts the texts of each call. */
export function letters({ delay = 0, asked = [] as number[], template = true } = {}): Tokenizer {
  const special = new Uint8Array(vocabulary);
  for (const id of [0, 2, 3, 4]) special[id] = 1;
  const around = [{ id: 2, segment: 0 }, { text: 0, segment: 0 } as const, { id: 3, segment: 0 }];
  return {
    vocabulary,
    ids: { pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 },
    maskId: 4,
    special,
    template: template
      ? { single: around, pair: [...around, { text: 1, segment: 1 }, { id: 3, segment: 1 }] }
      : {
          single: [{ text: 0, segment: 0 }],
          pair: [
            { text: 0, segment: 0 },
            { text: 1, segment: 1 },
          ],
        },
    fingerprint: 'letters',
    recipe: recipe('test', 'letters'),
    async encode(texts) {
      asked.push(texts.length);
      for (let i = 0; i < delay; i++) await new Promise((resolve) => setImmediate(resolve));
      return texts.map(encoded);
    },
    decode: (ids) => Array.from(ids, (id) => (id < first ? '' : String.fromCharCode(97 + id - first))).join(''),
    token: (id) => (id < first ? ['[PAD]', '[UNK]', '[CLS]', '[SEP]', '[MASK]'][id] : String.fromCharCode(97 + id - first)),
  };
}

/** Rows of an integer or byte column as lists. */
export function rowsOf({ data, shape }: { readonly data: ArrayLike<number>; readonly shape: readonly number[] }): number[][] {
  const [rows = 0, side = 1] = shape;
  return Array.from({ length: rows }, (_, row) => Array.from({ length: side }, (_, i) => data[row * side + i] as number));
}
