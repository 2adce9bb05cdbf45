// From texts to rows that are to be unmasked: what is written stays, what is to come is hidden, and the tokenizer's special tokens
// stand around both as they did in training.
import { MaskflowError } from '../core/errors.js';
import type { Tokenizer } from '../operators/views/tokenizer.js';

export interface PromptRowsOptions {
  /** Hidden tokens behind each text. Default 0. */
  readonly length?: number;
  /** Put the tokenizer's special tokens around; default true. */
  readonly special?: boolean;
}

/**
 * One row of ids a text, for `canvas`: the template's special tokens, the text with the mask id wherever the mask token is written
 * in it (`The [MASK] of`), and `length` hidden tokens behind it. Tokens of many tokenizers carry the space in front of them, so white
 * space in front of hidden tokens is left to these.
 *
 * @throws MaskflowError for a tokenizer without a mask token, and for a row with nothing hidden in it
 *
 * @example
 * canvas(await promptRows(words, ['The jury', ''], { length: 24 }), { maskId: words.maskId });
 */
export async function promptRows(words: Tokenizer, texts: readonly string[], { length = 0, special = true }: PromptRowsOptions = {}): Promise<number[][]> {
  const { maskId } = words;
  const mask = words.token(maskId) as string;
  const written = texts.map((text) => {
    const [last = '', ...before] = text.split(mask).reverse();
    return [...before.map((part) => part.trimEnd()).reverse(), length > 0 ? last.trimEnd() : last].join(mask);
  });
  const encoded = await words.encode(written);
  return encoded.map(({ ids }, row) => {
    // A tokenizer that writes spaces in front of words makes one of an empty text too.
    const text = written[row] === '' ? [] : Array.from(ids);
    const whole = [...text, ...Array<number>(length).fill(maskId)];
    if (!whole.includes(maskId)) {
      const hint = `Give a length, or write ${mask} where tokens are wanted.`;
      throw new MaskflowError({ stage: 'unmask', option: 'prompt', rule: 'there is nothing to unmask in it', value: texts[row], hint });
    }
    return special ? words.template.single.flatMap((piece) => ('text' in piece ? whole : [piece.id])) : whole;
  });
}
