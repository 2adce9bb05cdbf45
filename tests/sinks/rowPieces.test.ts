import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { canvas } from '../../src/operators/canvas.js';
import type { UnmaskRow } from '../../src/operators/samplers/sampler.js';
import type { Tokenizer } from '../../src/operators/views/tokenizer.js';
import { promptRows } from '../../src/sinks/promptRows.js';
import { rowPieces } from '../../src/sinks/rowPieces.js';
import { tokenizer } from '../../src/sources/tokenizer.js';
import { temporaryFolder } from '../sources/arrowFiles.js';
import { bytePairs, unigram, wordPiece } from '../sources/text/kinds.js';

const folder = temporaryFolder();
async function open(name: string, content: unknown): Promise<Tokenizer> {
  writeFileSync(join(folder, name), JSON.stringify(content));
  return tokenizer(join(folder, name));
}
const bytes = await open('bytes.json', bytePairs);
const pieces = await open('pieces.json', wordPiece);
const sentences = await open('sentences.json', unigram);

/** A row of `text` between special tokens, of which some places are hidden; free are those and the `made` ones. */
async function rowOf(words: Tokenizer, text: string, hidden: (i: number) => boolean, made: (i: number) => boolean = () => false): Promise<UnmaskRow> {
  const [encoded] = await words.encode([text]);
  const ids = Int32Array.from([words.ids.cls ?? 2, ...Array.from(encoded!.ids), words.ids.sep ?? 3]);
  const inside = (i: number): boolean => i > 0 && i < ids.length - 1;
  const masked = Uint8Array.from(ids, (_, i) => (inside(i) && hidden(i) ? 1 : 0));
  const free = Uint8Array.from(ids, (_, i) => (inside(i) && (hidden(i) || made(i)) ? 1 : 0));
  return { id: 0, ids: ids.map((id, i) => (masked[i] === 1 ? words.maskId : id)), masked, free, step: 0, time: 1 };
}
const told = (row: UnmaskRow, words: Tokenizer): (readonly [string, string])[] => rowPieces(row, words).map(({ kind, text }) => [kind, text] as const);

describe('rowPieces', () => {
  it('tells given, made and hidden apart, with the spaces that the tokenizer writes', async () => {
    // [CLS] Ġthe Ġworld ' t [SEP] and [CLS] the wor ##ld ! [SEP].
    expect(told(await rowOf(bytes, "the world't", (i) => i === 2), bytes)).toEqual([
      ['given', 'the'],
      ['hidden', '░'],
      ['given', "'t"],
    ]);
    expect(
      told(
        await rowOf(
          bytes,
          'the world the',
          () => false,
          (i) => i === 2,
        ),
        bytes,
      ),
    ).toEqual([
      ['given', 'the'],
      ['made', ' world'],
      ['given', ' the'],
    ]);
    expect(
      told(
        await rowOf(
          pieces,
          'the world the',
          (i) => i === 1,
          (i) => i === 4,
        ),
        pieces,
      ),
    ).toEqual([
      ['hidden', '░'],
      ['given', ' world'],
      ['made', ' the'],
    ]);
    expect(told(await rowOf(pieces, 'the world the', (i) => i === 2 || i === 3), pieces)).toEqual([
      ['given', 'the'],
      ['hidden', ' ░ ░'],
      ['given', ' the'],
    ]);
  });

  it('shows characters of several tokens once all of them are there', async () => {
    const text = 'the 日本';
    const at = (hidden: (i: number) => boolean, made?: (i: number) => boolean) => rowOf(bytes, text, hidden, made).then((row) => told(row, bytes));
    // Ġthe, Ġ, then six bytes.
    expect(await at((i) => i >= 3)).toEqual([
      ['given', 'the '],
      ['hidden', '░░░░░░'],
    ]);
    expect(
      await at(
        (i) => i >= 7,
        (i) => i >= 3,
      ),
    ).toEqual([
      ['given', 'the '],
      ['made', '日�'],
      ['hidden', '░░'],
    ]);
    expect(
      await at(
        () => false,
        (i) => i >= 3,
      ),
    ).toEqual([
      ['given', 'the '],
      ['made', '日本'],
    ]);
    // A character that was given in part is new as a whole.
    expect(
      await at(
        () => false,
        (i) => i === 5,
      ),
    ).toEqual([
      ['given', 'the '],
      ['made', '日'],
      ['given', '本'],
    ]);
  });

  it.each([
    ['bytes', bytes],
    ['word pieces', pieces],
    ['sentence pieces', sentences],
  ])('of %s: as many signs as hidden tokens; all visible is what the tokenizer decodes', async (_, words) => {
    const text = fc
      .array(fc.constantFrom('the', 'world', 'a', "don't", 'é', '日本', '👍', 'hello', 'or'), { minLength: 1, maxLength: 6 })
      .map((list) => list.join(' '));
    await fc.assert(
      fc.asyncProperty(
        text,
        fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
        fc.array(fc.boolean(), { minLength: 40, maxLength: 40 }),
        async (of, hide, make) => {
          const row = await rowOf(
            words,
            of,
            (i) => hide[i % 40] === true,
            (i) => make[i % 40] === true,
          );
          const signs = rowPieces(row, words).flatMap(({ kind, text: shown }) => (kind === 'hidden' ? [...shown].filter((sign) => sign === '░') : []));
          expect(signs.length).toBe(row.masked.reduce((sum, one) => sum + one, 0));
          const visible = await rowOf(
            words,
            of,
            () => false,
            (i) => make[i % 40] === true,
          );
          const whole = rowPieces(visible, words)
            .map(({ text: shown }) => shown)
            .join('');
          expect(whole).toBe(words.decode(visible.ids).trimStart());
        },
      ),
      { numRuns: 60 },
    );
  });
});

describe('promptRows', () => {
  it('puts hidden tokens behind the text, inside the template', async () => {
    const [row] = await promptRows(bytes, ['the '], { length: 2 });
    const [the] = await bytes.encode(['the']);
    expect(row).toEqual([bytes.ids.cls, ...Array.from(the!.ids), bytes.maskId, bytes.maskId, bytes.ids.sep]);
    expect(await promptRows(bytes, [''], { length: 3, special: false })).toEqual([[4, 4, 4]]);
  });

  it('reads mask tokens in the text; they take the space in front of them', async () => {
    const [row] = await promptRows(bytes, ['the [MASK] [MASK] the']);
    const [the] = await bytes.encode(['the']);
    const own = Array.from(the!.ids);
    expect(row).toEqual([2, ...own, 4, 4, ...own, 3]);
    const start = canvas([row!], { maskId: bytes.maskId });
    expect([...start.rows[0]!.free]).toEqual([0, ...own.map(() => 0), 1, 1, ...own.map(() => 0), 0]);
    expect(rowPieces(start.rows[0]!, bytes).map(({ text }) => text)).toEqual(['the', '░░', ' the']);
    const [piece] = await promptRows(pieces, ['the [MASK] the'], { length: 1 });
    expect(rowPieces(canvas([piece!], { maskId: pieces.maskId }).rows[0]!, pieces).map(({ text }) => text)).toEqual(['the', ' ░', ' the', ' ░']);
  });

  it('refuses a text with nothing to unmask', async () => {
    await expect(promptRows(bytes, ['the world'])).rejects.toThrow(
      'unmask.prompt: there is nothing to unmask in it; got "the world". Give a length, or write [MASK] where tokens are wanted.',
    );
  });
});
