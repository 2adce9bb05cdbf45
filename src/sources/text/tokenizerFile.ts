// A tokenizer.json as plain data: read, checked, and taken apart into what does not depend on the library that will use
// it: vocabulary, special ids, the template of special tokens, and how words are told apart.
import { createHash } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { SpecialIds, Template } from '../../operators/views/tokenizer.js';
import { templateOf } from './template.js';
import { type TokenizerJson, broken } from './tokenizerJson.js';
import { wordStartsOf } from './wordStarts.js';

export type SpecialName = keyof SpecialIds;

export interface TokenizerFile {
  readonly path: string;
  /** The file, without truncation, padding and special tokens of its own: those are ours. */
  readonly content: TokenizerJson;
  readonly fingerprint: string;
  readonly vocabulary: number;
  /** Token by id. */
  readonly tokens: readonly (string | undefined)[];
  readonly ids: SpecialIds;
  readonly special: Uint8Array;
  /** Ids of tokens that are found in a text as they are written, special ones among them; without the unknown token. */
  readonly added: ReadonlySet<number>;
  readonly template: Template;
  /** Where words begin: at every piece that the pre-tokenizer cut, or at every token for which this holds. */
  readonly wordStarts: Uint8Array | undefined;
}

/** Names that special tokens go by, most common first. */
const usual: Readonly<Record<SpecialName, readonly string[]>> = {
  pad: ['[PAD]', '<pad>', '<|pad|>', '<|padding|>', '<|finetune_right_pad_id|>'],
  mask: ['[MASK]', '<mask>', '<|mask|>', '<|mdm_mask|>'],
  cls: ['[CLS]', '<cls>', '<|cls|>'],
  sep: ['[SEP]', '<sep>', '<|sep|>'],
  unk: ['[UNK]', '<unk>', '<|unk|>'],
  bos: ['[BOS]', '<s>', '<bos>', '<|begin_of_text|>', '<|startoftext|>', '<|endoftext|>'],
  eos: ['[EOS]', '</s>', '<eos>', '<|end_of_text|>', '<|endoftext|>'],
};
export const specialNames = Object.keys(usual) as readonly SpecialName[];

/** Reads `path`: a tokenizer.json, or a folder that holds one (as Hugging Face models are kept). */
export async function readTokenizer(path: string, named: Partial<Readonly<Record<SpecialName, string>>> = {}): Promise<TokenizerFile> {
  const found = await stat(path).catch((cause: NodeJS.ErrnoException) => {
    const isMissing = cause.code === 'ENOENT' || cause.code === 'ENOTDIR';
    throw broken(
      path,
      isMissing ? 'there is no such file' : `cannot be opened: ${cause.message}`,
      cause,
      isMissing ? 'Name a tokenizer.json, or a folder that holds one; trainTokenizer makes one from your own texts.' : 'May you read it?',
    );
  });
  const file = found.isDirectory() ? join(path, 'tokenizer.json') : path;
  const bytes = await readFile(file).catch((cause: Error) => {
    throw broken(path, 'the folder holds no tokenizer.json', cause, 'In Python, tokenizer.save_pretrained(folder) of a fast tokenizer writes one.');
  });
  return parseTokenizer(file, bytes, { ...(await companions(file)), ...named });
}

/** Special tokens that the files beside a tokenizer.json name. */
async function companions(file: string): Promise<Partial<Record<SpecialName, string>>> {
  const names: Partial<Record<SpecialName, string>> = {};
  for (const name of ['tokenizer_config.json', 'special_tokens_map.json']) {
    const text = await readFile(join(dirname(file), name), 'utf8').catch(() => undefined);
    if (text === undefined) continue;
    let map: Record<string, unknown>;
    try {
      map = JSON.parse(text) as Record<string, unknown>;
    } catch (cause) {
      throw broken(join(dirname(file), name), 'is no JSON', cause);
    }
    for (const kind of specialNames) {
      const given = map[`${kind}_token`] as { content?: unknown } | string | null | undefined;
      const content = typeof given === 'string' ? given : given?.content;
      if (typeof content === 'string') names[kind] = content;
    }
  }
  return names;
}

/** A tokenizer's bytes as data. `named` gives special tokens by name where they are not the usual ones. */
export function parseTokenizer(path: string, bytes: Uint8Array, named: Partial<Readonly<Record<SpecialName, string>>> = {}): TokenizerFile {
  let json: TokenizerJson;
  try {
    json = JSON.parse(new TextDecoder('utf8', { fatal: true }).decode(bytes)) as TokenizerJson;
  } catch (cause) {
    throw broken(path, `is no JSON: ${(cause as Error).message.replace(/\.$/u, '')}`, cause);
  }
  const vocab = json?.model?.vocab;
  if (typeof vocab !== 'object' || vocab === null) throw broken(path, 'is no tokenizer.json: it has no model with a vocabulary');
  if (typeof json.model.dropout === 'number' && json.model.dropout > 0) {
    throw broken(
      path,
      `its model drops merges at random (dropout ${json.model.dropout}), so that one text has many encodings`,
      undefined,
      'Set "dropout": null in the file.',
    );
  }
  const tokens: (string | undefined)[] = [];
  const put = (token: unknown, id: unknown): void => {
    if (typeof token !== 'string' || !Number.isSafeInteger(id) || (id as number) < 0 || (id as number) >= 2 ** 24)
      throw broken(path, `its vocabulary holds ${JSON.stringify([token, id])}`);
    tokens[id as number] = token;
  };
  if (Array.isArray(vocab)) for (const [id, entry] of (vocab as readonly (readonly [string, number])[]).entries()) put(entry?.[0], id);
  else for (const [token, id] of Object.entries(vocab)) put(token, id);
  const addedTokens = json.added_tokens ?? [];
  for (const { content, id } of addedTokens) put(content, id);
  if (tokens.length === 0) throw broken(path, 'its vocabulary is empty');

  const idOf = new Map<string, number>();
  for (const [id, token] of tokens.entries()) if (token !== undefined) idOf.set(token, id);
  const ids = specialIds(path, json, idOf, named);
  const special = new Uint8Array(tokens.length);
  for (const { id, special: isSpecial } of addedTokens) if (isSpecial) special[id] = 1;
  for (const kind of specialNames) if (kind !== 'unk' && ids[kind] !== undefined) special[ids[kind]] = 1;
  if (ids.unk !== undefined && specialNames.every((kind) => kind === 'unk' || ids[kind] !== ids.unk)) special[ids.unk] = 0;
  const added = new Set(addedTokens.map(({ id }) => id).filter((id) => id !== ids.unk));
  return {
    path,
    content: { ...json, truncation: null, padding: null, post_processor: null } as TokenizerJson,
    fingerprint: `sha256:${createHash('sha256').update(bytes).digest('hex')}`,
    vocabulary: tokens.length,
    tokens,
    ids,
    special,
    added,
    template: templateOf(path, json.post_processor, idOf),
    wordStarts: wordStartsOf(json, tokens),
  };
}

function specialIds(path: string, json: TokenizerJson, idOf: ReadonlyMap<string, number>, named: Partial<Readonly<Record<SpecialName, string>>>): SpecialIds {
  const ids: Partial<Record<SpecialName, number>> = {};
  for (const kind of specialNames) {
    const name = named[kind];
    if (name !== undefined) {
      const id = idOf.get(name);
      if (id === undefined)
        throw broken(
          path,
          `has no token ${JSON.stringify(name)}, which should be its ${kind} token`,
          undefined,
          'Name one that is in its vocabulary: tokenizer(file, { special: { mask: … } }).',
        );
      ids[kind] = id;
      continue;
    }
    const found = usual[kind].find((token) => idOf.has(token));
    if (found !== undefined) ids[kind] = idOf.get(found) as number;
  }
  const { unk_token, unk_id } = json.model;
  if (named.unk === undefined && typeof unk_token === 'string' && idOf.has(unk_token)) ids.unk = idOf.get(unk_token) as number;
  if (named.unk === undefined && typeof unk_id === 'number') ids.unk = unk_id;
  if (named.pad === undefined && typeof json.padding?.pad_id === 'number') ids.pad = json.padding.pad_id;
  // RoBERTa and its kin: begin and end of text do what CLS and SEP do elsewhere.
  if (ids.cls === undefined && ids.bos !== undefined && /Roberta|Template/u.test(String(json.post_processor?.type))) ids.cls = ids.bos;
  if (ids.sep === undefined && ids.eos !== undefined && /Roberta|Template/u.test(String(json.post_processor?.type))) ids.sep = ids.eos;
  return ids;
}
