// The format of a tokenizer.json, as far as it is read here, and the error for one that is not as it should be.
import { MaskflowError } from '../../core/errors.js';

/** The parts of the format that are read here; the libraries read the rest. */
export interface TokenizerJson {
  readonly added_tokens?: readonly { readonly id: number; readonly content: string; readonly special: boolean }[];
  readonly normalizer?: Part | null;
  readonly pre_tokenizer?: Part | null;
  readonly post_processor?: Part | null;
  readonly padding?: { readonly pad_id?: number } | null;
  readonly model: {
    readonly type?: string;
    readonly vocab: Readonly<Record<string, number>> | readonly (readonly [string, number])[];
    readonly unk_token?: string | null;
    readonly unk_id?: number | null;
    readonly dropout?: number | null;
    readonly continuing_subword_prefix?: string | null;
  };
}

/** A component of a tokenizer, by its type. */
export type Part = { readonly type?: string } & Readonly<Record<string, unknown>>;

/** What is wrong with a tokenizer's file. */
export const broken = (path: string, rule: string, cause?: unknown, hint = 'Save it again, in Python: tokenizer.save("tokenizer.json").'): MaskflowError =>
  new MaskflowError({ stage: 'tokenizer', where: path, rule, hint, ...(cause === undefined ? {} : { cause }) });
