// Lines of text as samples: the same ones however the file is cut into blocks, in any order, from gzip and from several files;
// what cannot be used is named by file and line.
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { Observable, take } from 'rxjs';
import type { Sample } from '../../src/core/batch.js';
import { Cursor } from '../../src/core/cursor.js';
import { drain } from '../../src/core/demand/index.js';
import { MaskflowError } from '../../src/core/errors.js';
import { epochs } from '../../src/operators/epochs.js';
import { shuffle } from '../../src/operators/shuffle.js';
import { Splitter, recordsOf } from '../../src/sources/text/records.js';
import { conllu } from '../../src/sources/conllu.js';
import { jsonl } from '../../src/sources/jsonl.js';
import { parallelLines } from '../../src/sources/parallelLines.js';
import { textLines } from '../../src/sources/textLines.js';
import { all, failure, openHandles, temporaryFolder, until, write } from './arrowFiles.js';

const folder = temporaryFolder();
const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const file = (name: string, content: string | Uint8Array): string => write(folder, name, typeof content === 'string' ? bytes(content) : content);
const texts = async (source: Observable<Sample<{ readonly text: string }>>): Promise<string[]> => (await all(source)).map(({ fields }) => fields.text);

describe('textLines', () => {
  it('takes LF and CR LF, the last line without an end, a byte-order mark; skips empty lines or keeps them', async () => {
    const path = file('ends.txt', '\ufeffone\r\n\r\ntwo\n  \n three \nfour');
    expect(await texts(textLines(path))).toEqual(['one', 'two', ' three ', 'four']);
    expect(await texts(textLines(path, { emptyLines: 'keep' }))).toEqual(['one', '', 'two', '  ', ' three ', 'four']);
    expect((await all(textLines(path, { emptyLines: 'keep' }))).map(({ origin }) => origin.id)).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it('has random access: shuffled epochs serve every line once, over several files and blocks, with a cache or none', async () => {
    const lines = Array.from({ length: 3000 }, (_, i) => `${i} ${'x'.repeat((i * 37) % 90)}`);
    file('part-1.txt', `${lines.slice(0, 1000).join('\n')}\n`);
    file('part-2.txt', lines.slice(1000).join('\r\n'));
    for (const cacheBytes of [0, 2 ** 26]) {
      const samples = await all(textLines(`${folder}/part-*.txt`, { cacheBytes }).pipe(epochs(2), shuffle()));
      expect(samples).toHaveLength(6000);
      for (const { fields, origin } of samples) expect(fields.text).toBe(lines[origin.id]);
      expect(samples.slice(0, 3000).map(({ origin }) => origin.id)).not.toEqual(samples.slice(3000).map(({ origin }) => origin.id));
    }
    await until(() => openHandles(folder) === 0);
  });

  it('goes on exactly behind a cursor', async () => {
    const path = file('cursor.txt', Array.from({ length: 50 }, (_, i) => `line ${i}`).join('\n'));
    const cursor = new Cursor();
    const before: string[] = [];
    await drain(textLines(path).pipe(epochs(1), shuffle(), take(20)), { seed: 5 }, ({ fields, origin }) => {
      before.push(fields.text);
      cursor.settle([origin]);
    });
    const rest: string[] = [];
    await drain(textLines(path).pipe(epochs(1), shuffle()), { seed: 5, cursor: new Cursor(cursor.toJSON()) }, ({ fields }) => rest.push(fields.text));
    const whole: string[] = [];
    await drain(textLines(path).pipe(epochs(1), shuffle()), { seed: 5 }, ({ fields }) => whole.push(fields.text));
    expect([...before, ...rest]).toEqual(whole);
  });

  it('reads gzip from its beginning, as often as asked', async () => {
    const path = file('zipped.txt.gz', gzipSync('a\nb\n\nc'));
    expect(await texts(textLines(path))).toEqual(['a', 'b', 'c']);
    expect(await texts(textLines([path, file('plain.txt', 'd')]).pipe(epochs(2)))).toEqual(['a', 'b', 'c', 'd', 'a', 'b', 'c', 'd']);
    const cut = file('cut.txt.gz', gzipSync('a\n'.repeat(1000)).subarray(0, 20));
    expect((await failure(textLines(cut))).message).toMatch(/textLines: the gzip data is damaged or cut short: .* \(.*cut\.txt\.gz\)/u);
  });

  it('reads standard input once', () => {
    const code = `
      import { createJiti } from 'jiti';
      const jiti = createJiti(import.meta.url);
      const { textLines } = await jiti.import(${JSON.stringify(fileURLToPath(new URL('../../src/sources/textLines.ts', import.meta.url)))});
      textLines('-').subscribe({ next: ({ fields, origin }) => console.log(origin.id, fields.text), error: (error) => console.log(error.message) });`;
    const { stdout } = spawnSync(process.execPath, ['--input-type=module', '--eval', code], {
      input: 'a\n\nb c',
      encoding: 'utf8',
      cwd: fileURLToPath(new URL('../..', import.meta.url)),
    });
    expect(stdout).toBe('0 a\n1 b c\n');
  });

  it('names file and line of what is no UTF-8, and leaves it out where it may', async () => {
    const path = file('bad.txt', Uint8Array.of(...bytes('good\n\n'), 0xc3, 0x28, 10, ...bytes('more\n')));
    const error = (await failure(textLines(path))) as MaskflowError;
    expect(error.message).toContain('textLines: a sample cannot be used: it is not valid UTF-8');
    expect(error.message).toContain('bad.txt, line 3');
    const skipped: number[] = [];
    expect(await texts(textLines(path, { onBadSample: 'skip', onSkip: (_, count) => skipped.push(count) }))).toEqual(['good', 'more']);
    expect(skipped).toEqual([1]);
    expect((await failure(textLines(path, { onBadSample: 'skip', maxBad: 0, onSkip: () => {} }))).message).toContain(
      'textLines.maxBad: more than 0 samples cannot be used',
    );
  });

  it('splits fields at tabs', async () => {
    const path = file('pairs.tsv', 'a\tb\nc\td\te\n');
    const source = textLines(path, { columns: ['en', 'de'], onBadSample: 'skip', onSkip: () => {} });
    expect((await all(source)).map(({ fields }) => fields)).toEqual([{ en: 'a', de: 'b' }]);
    expect((await failure(textLines(path, { columns: ['en', 'de'] }))).message).toMatch(
      /a line must have 2 fields with tabs between them; got 3 \(.*pairs\.tsv, line 2\)/u,
    );
  });

  it('says what a file is that is no text, empty or not there', async () => {
    expect((await failure(textLines(file('utf16.txt', Uint8Array.of(0xff, 0xfe, 65, 0))))).message).toContain('is UTF-16, and text must be UTF-8');
    expect((await failure(textLines(file('empty.txt', '\n\n')))).message).toContain('the data set has no rows');
    expect((await failure(textLines(`${folder}/bad.tx`))).message).toContain('Did you mean');
    expect(() => textLines('')).toThrow("textLines.path: must name at least one file; '-' is standard input");
    expect(() => textLines('a', { emptyLine: 'keep' } as never)).toThrow('Did you mean emptyLines?');
    expect(() => textLines('a', { columns: ['x', 'x'] })).toThrow('textLines.columns: must be one name or several different ones');
  });

  it('notices a file that has changed under it', async () => {
    const path = file('changing.txt', 'x\n'.repeat(40_000));
    let served = 0;
    const error = await failure(
      new Observable((subscriber) =>
        textLines(path, { cacheBytes: 0 }).subscribe({
          next: () => {
            if (++served === 10) file('changing.txt', 'x\n'.repeat(20_000));
          },
          error: (problem) => subscriber.error(problem),
          complete: () => subscriber.complete(),
        }),
      ),
    );
    expect(error.message).toContain('the file has changed since it was opened');
  });
});

describe('damage', () => {
  it('in any byte gives samples or errors of ours that name the file', async () => {
    const lines = ['{"text":"a","n":1}', '# sent_id = 1', '1\tHi\thi\tX\t_\t_\t0\troot\t_\t_', '', '{"text":"é"}'].join('\n');
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.nat(200), fc.nat(255)), { minLength: 1, maxLength: 5 }),
        fc.nat(80),
        fc.constantFrom('throw', 'skip'),
        async (flips, length, onBadSample) => {
          const content = bytes(lines).slice(0, length);
          for (const [at, value] of flips) if (at < content.length) content[at] = value;
          const path = file('damaged.txt', content);
          const options = { onBadSample, onSkip: () => {} } as const;
          for (const source of [textLines(path, options), jsonl(path, options), conllu(path, options)] as Observable<unknown>[]) {
            const outcome = await all(source).catch((error: unknown) => error);
            if (Array.isArray(outcome)) continue;
            expect(outcome).toBeInstanceOf(MaskflowError);
            expect((outcome as Error).message).toContain('damaged.txt');
          }
        },
      ),
      { seed: 8, numRuns: 150 },
    );
  });
});

describe('records', () => {
  const content = fc.array(fc.constantFrom('a', 'bc', '\n', '\r\n', ' ', '\n\n', 'é', '\r'), { maxLength: 30 }).map((parts) => bytes(parts.join('')));

  it('are the same however the bytes are cut, streamed or indexed', async () => {
    await fc.assert(
      fc.asyncProperty(content, fc.array(fc.nat(12), { maxLength: 6 }), fc.constantFrom('lines', 'filled', 'blocks'), async (whole, sizes, unit) => {
        const found: [number, number, number][] = [];
        const once = new Splitter(unit, (...record) => found.push(record));
        once.push(whole);
        once.end();
        const pieces: Uint8Array[] = [];
        let at = 0;
        for (const size of sizes) {
          pieces.push(whole.subarray(at, at + size));
          at += size;
        }
        pieces.push(whole.subarray(at));
        const cut: [number, number, number][] = [];
        const many = new Splitter(unit, (...record) => cut.push(record));
        for (const piece of pieces) many.push(piece);
        many.end();
        expect(cut).toEqual(found);
        const streamed: [string, number][] = [];
        for await (const record of recordsOf(pieces, unit, 1000, () => new Error('too long')))
          streamed.push([Buffer.from(record.bytes).toString(), record.line]);
        expect(streamed).toEqual(found.map(([start, end, line]) => [Buffer.from(whole.subarray(start, end)).toString(), line]));
        // Against the definition.
        const lines = Buffer.from(whole).toString().split('\n');
        if (lines.at(-1) === '') lines.pop();
        const plain = lines.map((line) => (line.endsWith('\r') ? line.slice(0, -1) : line));
        if (unit === 'lines') expect(streamed.map(([text]) => text)).toEqual(plain);
        if (unit === 'filled') expect(streamed.map(([text]) => text)).toEqual(plain.filter((line) => !/^[ \t\r]*$/u.test(line)));
      }),
      { seed: 3, numRuns: 300 },
    );
  });

  it('of endless length are refused before they fill the memory', async () => {
    function* endless(): Generator<Uint8Array> {
      for (;;) yield new Uint8Array(1000).fill(65);
    }
    const read = async (): Promise<void> => {
      for await (const _ of recordsOf(endless(), 'lines', 50_000, (line) => new Error(`line ${line} is too long`)));
    };
    await expect(read()).rejects.toThrow('line 1 is too long');
  });
});

describe('parallelLines', () => {
  const en = file('x.en', 'one\ntwo\n\nfour\n');
  const de = file('x.de', 'eins\nzwei\ndrei\nvier');

  it('pairs line n of all files, in any order', async () => {
    const source = parallelLines({ en, de }, { onBadSample: 'skip', onSkip: () => {} });
    const pairs = await all(source.pipe(epochs(1), shuffle()));
    expect(pairs.map(({ fields, origin }) => [origin.id, fields]).sort()).toEqual([
      [0, { en: 'one', de: 'eins' }],
      [1, { en: 'two', de: 'zwei' }],
      [3, { en: 'four', de: 'vier' }],
    ]);
    await until(() => openHandles(folder) === 0);
  });

  it('names the side that is empty, sides of unequal length, and what cannot be sought', async () => {
    expect((await failure(parallelLines({ en, de }))).message).toMatch(/parallelLines: a sample cannot be used: its side en is empty \(.*x\.en, line 3\)/u);
    const short = file('short.de', 'eins\n');
    expect((await failure(parallelLines({ en, de: short }))).message).toContain('all sides must have as many lines; got {"en":4,"de":1}');
    const zipped = file('x.de.gz', gzipSync('eins\n'));
    expect((await failure(parallelLines({ en, de: zipped }))).message).toContain('parallelLines.de: must be a regular text file');
    expect(() => parallelLines({ en })).toThrow('parallelLines.sides: must name two files or more');
    await until(() => openHandles(folder) === 0);
  });
});
