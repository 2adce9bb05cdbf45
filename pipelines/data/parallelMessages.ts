// Parallel text: the messages of the TypeScript compiler in English, German and French (2,122 in all three), from the npm
// package `typescript`. The translations name a message by its key; the English text comes from the compiler itself.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { arrowFile, batch, drain, memory } from 'maskflow';

export interface Message {
  /** The message's key: `A_0_modifier_cannot_be_used_here_1234`. */
  readonly key: string;
  readonly en: string;
  readonly de: string;
  readonly fr: string;
}

/** Every tenth message is for testing. */
export type MessageSplit = 'train' | 'test';

/** Messages that all three languages have, in the order of their numbers. */
export async function readMessages(): Promise<Message[]> {
  const require = createRequire(import.meta.url);
  const translated = async (language: string): Promise<Record<string, string>> =>
    JSON.parse(await readFile(require.resolve(`typescript/lib/${language}/diagnosticMessages.generated.json`), 'utf8')) as Record<string, string>;
  const [de, fr] = [await translated('de'), await translated('fr')];
  // Not a part of TypeScript's public interface, but where its English messages are.
  const { Diagnostics } = require('typescript') as { Diagnostics: Record<string, { key: string; code: number; message: string }> };
  return Object.values(Diagnostics)
    .sort((a, b) => a.code - b.code || (a.key < b.key ? -1 : 1))
    .flatMap(({ key, message }) => (de[key] === undefined || fr[key] === undefined ? [] : [{ key, en: message, de: de[key], fr: fr[key] }]));
}

/** Those of one split. */
async function messagesOf(split: MessageSplit): Promise<Message[]> {
  return (await readMessages()).filter((_, i) => (i % 10 === 9 ? 'test' : 'train') === split);
}

/** Writes one split to an Arrow file; what a pipeline hands to `prepared`. */
export function parallelMessages(split: MessageSplit): (file: string) => Promise<void> {
  return async (file) => {
    await drain(memory(await messagesOf(split)).pipe(batch(1000), arrowFile(file)));
  };
}

/** The texts of one split in these languages, for a tokenizer that is to know them all. */
export async function* messageTexts(split: MessageSplit, languages: readonly ('en' | 'de' | 'fr')[]): AsyncGenerator<string> {
  for (const message of await messagesOf(split)) for (const language of languages) yield message[language];
}
