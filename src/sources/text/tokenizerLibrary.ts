// The two libraries that turn text into ids, behind one function. The native one (npm `tokenizers`, an optional peer) works
// in threads of its own and is the faster; @huggingface/tokenizers is plain JavaScript and runs everywhere. Both get the
// same file and give the same ids (tests/sources/tokenizer.test.ts); neither adds special tokens, pads or cuts.
import { createRequire } from 'node:module';
import { MaskflowError } from '../../core/errors.js';
import type { Pieces } from './wordCounter.js';
import type { TokenizerFile } from './tokenizerFile.js';

export interface Library {
  readonly name: 'native' | 'javascript';
  encode(texts: readonly string[]): Promise<readonly Pieces[]>;
}

interface NativeEncoding {
  getIds(): number[];
  getWordIds(): (number | null | undefined)[];
}
interface NativeTokenizer {
  encodeBatch(texts: readonly string[], options: { addSpecialTokens: boolean }): Promise<NativeEncoding[]>;
}
export interface NativeModule {
  readonly Tokenizer: { fromString(json: string): NativeTokenizer };
}

/** An optional peer: by name, so that nothing takes it for a dependency. */
const peer = 'tokenizers';

const failed = (file: TokenizerFile, library: string, cause: unknown): MaskflowError =>
  new MaskflowError({
    stage: 'tokenizer',
    where: file.path,
    rule: `the ${library} library cannot use it: ${cause instanceof Error ? cause.message.replace(/\.$/u, '') : String(cause)}`,
    cause,
    hint: 'Does it load in Python (tokenizers.Tokenizer.from_file)? Then save it again with that version.',
  });

/** The native library, or undefined where it is not installed or has no build for this machine. */
export function nativeModule(): NativeModule | undefined {
  try {
    return createRequire(import.meta.url)(peer) as NativeModule;
  } catch {
    return undefined;
  }
}

export function native(file: TokenizerFile, { Tokenizer }: NativeModule): Library {
  let made: NativeTokenizer;
  try {
    made = Tokenizer.fromString(JSON.stringify(file.content));
  } catch (cause) {
    throw failed(file, 'native', cause);
  }
  const byPieces = file.wordStarts === undefined;
  return {
    name: 'native',
    async encode(texts) {
      const encodings = await made.encodeBatch(texts, { addSpecialTokens: false }).catch((cause: unknown) => {
        throw failed(file, 'native', cause);
      });
      return encodings.map((encoding) => ({ ids: encoding.getIds(), pieces: byPieces ? encoding.getWordIds() : [] }));
    },
  };
}

/** @huggingface/tokenizers, with decoding. */
export interface JavascriptLibrary extends Library {
  decode(ids: readonly number[], special: boolean): string;
}

export async function javascript(file: TokenizerFile): Promise<JavascriptLibrary> {
  const { Tokenizer } = await import('@huggingface/tokenizers');
  let made: InstanceType<typeof Tokenizer>;
  try {
    made = new Tokenizer(file.content, {});
  } catch (cause) {
    throw failed(file, 'JavaScript', cause);
  }
  // The library does not tell which piece a token came from, so its model is asked piece by piece and we take notes. One
  // piece at a time is also how the native library fuses unknown tokens: within a piece, never over its end.
  const { model } = made;
  if (model === null) throw failed(file, 'JavaScript', new Error('it has no model'));
  let sections: { readonly tokens: readonly string[]; readonly pieces: readonly number[] }[] = [];
  const asked = (pieces: string[]): string[] => {
    const tokens: string[] = [];
    const from: number[] = [];
    pieces.forEach((piece, index) => {
      for (const token of model([piece])) {
        tokens.push(token);
        from.push(index);
      }
    });
    sections.push({ tokens, pieces: from });
    return tokens;
  };
  Object.setPrototypeOf(asked, model);
  made.model = asked as unknown as typeof model;

  return {
    name: 'javascript',
    encode: async (texts) =>
      texts.map((text) => {
        sections = [];
        const { ids, tokens } = made.encode(text, { add_special_tokens: false });
        return { ids, pieces: piecesOf(tokens, sections) };
      }),
    decode: (ids, special) => (ids.length === 0 ? '' : made.decode([...ids], { skip_special_tokens: !special, clean_up_tokenization_spaces: false })),
  };
}

/** The piece of every token: those of the model's sections in turn; what stands between is a token found in the text. */
function piecesOf(tokens: readonly string[], sections: readonly { readonly tokens: readonly string[]; readonly pieces: readonly number[] }[]): number[] {
  const result: number[] = [];
  let base = 0;
  let section = 0;
  while (result.length < tokens.length) {
    const next = sections[section];
    if (next !== undefined && next.tokens.length === 0) {
      section++;
    } else if (next?.tokens.every((token, i) => token === tokens[result.length + i])) {
      for (const piece of next.pieces) result.push(base + piece);
      base += (next.pieces.at(-1) as number) + 1;
      section++;
    } else {
      result.push(base++);
    }
  }
  return result;
}
