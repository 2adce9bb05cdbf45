// Every kind of tokenizer's words are found in any text: spaces, marks, other scripts, unknown and special tokens.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { tokenSpans } from '../../../src/operators/views/tokenSpans.js';
import type { Tokenizer } from '../../../src/operators/views/tokenizer.js';
import { tokenizer } from '../../../src/sources/tokenizer.js';
import { temporaryFolder } from '../../sources/arrowFiles.js';
import { kinds } from '../../sources/text/kinds.js';

const folder = temporaryFolder();
const open = async (kind: keyof typeof kinds): Promise<Tokenizer> => {
  const path = join(folder, `${kind}.json`);
  writeFileSync(path, JSON.stringify(kinds[kind]));
  return tokenizer(path);
};

const odd = [
  'the',
  'world',
  "don't",
  ' ',
  '  ',
  '\n',
  ',',
  '!',
  '[MASK]',
  '<mask>',
  '[SEP]',
  '</s>',
  '[UNK]',
  'Ж',
  '日本',
  'é',
  'e\u0301',
  '👍🏽',
  '▁',
  'Ġ',
  '##a',
  'İ',
];
const text = fc
  .array(fc.oneof(fc.constantFrom(...odd, 'ß', '\u00a0', '\u200b', '123', 'ΣΑΣ', 'ﬁ', '½', '…', '\u0007'), fc.string({ unit: 'grapheme', maxLength: 3 })), {
    maxLength: 12,
  })
  .map((parts) => parts.join(''));

describe.each(Object.keys(kinds) as (keyof typeof kinds)[])('%s', (kind) => {
  it('finds all words of any text, in order', async () => {
    const words = await open(kind);
    const spansOf = tokenSpans(words);
    await fc.assert(
      fc.asyncProperty(text, async (given) => {
        const [encoded] = await words.encode([given]);
        const spans = spansOf(given, encoded!);
        expect(spans).toHaveLength(2 * encoded!.wordCount);
        for (let i = 0; i < spans.length; i += 2) {
          expect(spans[i + 1]).toBeGreaterThanOrEqual(spans[i] as number);
          expect(spans[i + 1]).toBeLessThanOrEqual(given.length);
        }
      }),
      { seed: 5, numRuns: 400 },
    );
  });
});

it.each([
  ['wordPiece', 'The Wör, Ж☃ the[MASK]the!', ['The', 'Wör', ',', 'Ж☃', 'the', '[MASK]', 'the', '!']],
  ['bytePairs', "The  world, don't é☃", ['The', 'world', ',', 'don', "'t", 'é', '☃']],
] as const)('%s words stand where they were written', async (kind, given, expected) => {
  const words = await open(kind);
  const [encoded] = await words.encode([given]);
  const spans = tokenSpans(words)(given, encoded!);
  const found = Array.from({ length: encoded!.wordCount }, (_, i) => given.slice(spans[2 * i], spans[2 * i + 1]));
  expect(found.filter((word) => word !== '')).toEqual(expected);
});
