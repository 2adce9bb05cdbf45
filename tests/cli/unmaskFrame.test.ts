// What the live view draws: lines as a pure function, and a small terminal that obeys what is written to it.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { liveFrame } from '../../src/cli/liveFrame.js';
import { type FrameOptions, cellWidth, oneLine, unmaskFrame } from '../../src/cli/unmaskFrame.js';
import type { UnmaskRow } from '../../src/operators/samplers/sampler.js';
import type { Tokenizer } from '../../src/operators/views/tokenizer.js';
import { plainText } from './console.js';

/** Tokens as they are written; id 0 is hidden. */
function state(...rows: (readonly [text: string, kind: 'given' | 'made' | 'hidden'][])[]): { readonly rows: UnmaskRow[]; readonly words: Tokenizer } {
  const texts = ['?', ...rows.flat().map(([text]) => text)];
  let id = 0;
  const made = rows.map((row, index): UnmaskRow => {
    const ids = Int32Array.from(row, ([, kind], i) => (kind === 'hidden' ? 0 : id + i + 1));
    id += row.length;
    return {
      id: index,
      ids,
      masked: Uint8Array.from(row, ([, kind]) => (kind === 'hidden' ? 1 : 0)),
      free: Uint8Array.from(row, ([, kind]) => (kind === 'given' ? 0 : 1)),
      step: 0,
      time: 1,
    };
  });
  const words = {
    special: new Uint8Array(texts.length),
    decode: (ids: ArrayLike<number>) => Array.from(ids, (of) => texts[of]).join(''),
  } as unknown as Tokenizer;
  return { rows: made, words };
}
const frame = (of: ReturnType<typeof state>, options: Partial<FrameOptions> = {}): string[] =>
  unmaskFrame(of, of.words, { columns: 20, lines: 24, color: false, ...options });

describe('unmaskFrame', () => {
  it('shows prompts in ‹ › without colours, bold with them; hidden tokens dim', () => {
    const row = state([
      ['The jury', 'given'],
      [' said', 'made'],
      ['', 'hidden'],
      ['', 'hidden'],
      [' in', 'given'],
    ]);
    expect(frame(row, { columns: 40 })).toEqual(['‹The jury› said░░ ‹in›']);
    const [bright] = frame(row, { columns: 40, color: true });
    expect(bright).toBe('\u001b[1mThe jury\u001b[22m said\u001b[2m░░\u001b[22m\u001b[1m in\u001b[22m');
    expect(plainText(bright!)).toBe('The jury said░░ in');
    // biome-ignore lint/suspicious/noControlCharactersInRegex: no colour code may be in it.
    expect(frame(row, { status: 'three steps' }).join('')).not.toMatch(/\u001b/u);
  });

  it('breaks lines behind words where it can', () => {
    const row = state([['one two three four five', 'made']]);
    expect(frame(row, { columns: 11 })).toEqual(['one two ', 'three four', 'five']);
    expect(frame(state([['abcdefghijkl', 'made']]), { columns: 6 })).toEqual(['abcde', 'fghij', 'kl']);
    expect(frame(state([['ab', 'made'], ...Array.from({ length: 9 }, () => ['', 'hidden'] as [string, 'hidden'])]), { columns: 7 })).toEqual([
      'ab░░░░',
      '░░░░░',
    ]);
  });

  it('puts an empty line between rows, and the status below', () => {
    const rows = state([['one', 'made']], [['two', 'made']]);
    expect(frame(rows, { status: 'done' })).toEqual(['one', '', 'two', '', 'done']);
    expect(frame(rows, { status: 'a status that is far too long', columns: 12 }).at(-1)).toBe('a status t…');
  });

  it('keeps the last lines where the terminal is too low, and all without an end', () => {
    const row = state([['a b c d e f', 'made']]);
    expect(frame(row, { columns: 3, lines: 4 })).toEqual(['d ', 'e ', 'f']);
    expect(frame(row, { columns: 3, lines: Number.POSITIVE_INFINITY })).toHaveLength(6);
    expect(frame(row, { columns: 3, lines: 1 })).toHaveLength(1);
  });

  it('lets nothing through that a terminal would obey', () => {
    const row = state([['a\u001b[31mb\nc\td\u0007\u009b\u202ee', 'made']]);
    expect(frame(row, { columns: 80 })).toEqual(['a [31mb c d   e']);
    expect(oneLine('\u2067x\r')).toBe(' x ');
  });

  it('counts cells: wide letters two, marks none', () => {
    expect(['abc', '日本', 'e\u0301', '👍🏽', '░', ''].map(cellWidth)).toEqual([3, 4, 1, 2, 1, 0]);
    expect(frame(state([['日本語', 'made']]), { columns: 6 })).toEqual(['日本', '語']);
  });

  it('has no line wider than the terminal less one cell, and loses no text', () => {
    const piece = fc.tuple(
      fc.constantFrom('a', ' the', ' of', '日', '.', ' longerword', ' '),
      fc.constantFrom('given' as const, 'made' as const, 'hidden' as const),
    );
    fc.assert(
      fc.property(fc.array(piece, { minLength: 1, maxLength: 30 }), fc.integer({ min: 3, max: 30 }), fc.boolean(), (row, columns, color) => {
        const of = state(row);
        const lines = frame(of, { columns, color, lines: 1000 }).map(plainText);
        for (const line of lines) expect(cellWidth(line)).toBeLessThanOrEqual(columns - 1);
        const letters = (text: string): string => text.replace(/[\s‹›]/gu, '');
        expect(letters(lines.join(''))).toBe(letters(row.map(([text, kind]) => (kind === 'hidden' ? '░' : text)).join('')));
      }),
    );
  });
});

/** A terminal of some width that knows what liveFrame writes: line ends, returns, up, erase to the end, the cursor. */
class Screen {
  columns: number;
  lines: string[] = [''];
  row = 0;
  column = 0;
  cursor = true;
  constructor(columns: number) {
    this.columns = columns;
  }
  write(text: string): void {
    for (const [part] of text.replaceAll('\u001b', '␛').matchAll(/␛\[[?0-9;]*[a-zA-Z]|./gsu)) this.#obey(part);
  }
  #obey(part: string): void {
    const up = /^␛\[(\d+)A$/u.exec(part);
    if (part === '␛[?25l') this.cursor = false;
    else if (part === '␛[?25h') this.cursor = true;
    else if (part === '␛[J') this.lines = [...this.lines.slice(0, this.row), (this.lines[this.row] as string).slice(0, this.column)];
    else if (up !== null) this.row = Math.max(0, this.row - Number(up[1]));
    else if (part === '\r') this.column = 0;
    else if (part === '\n') this.#line();
    else if (part.length > 1) throw new Error(`not understood: ${JSON.stringify(part)}`);
    else {
      if (this.column === this.columns) this.#line();
      const line = this.lines[this.row] as string;
      this.lines[this.row] = line.slice(0, this.column).padEnd(this.column) + part + line.slice(this.column + 1);
      this.column++;
    }
  }
  #line(): void {
    this.row++;
    this.column = 0;
    if (this.row === this.lines.length) this.lines.push('');
  }
  /** Breaks what stands there anew, as terminals do. */
  resize(columns: number): void {
    this.columns = columns;
    const broken = this.lines.flatMap((line) => line.match(new RegExp(`.{1,${columns}}`, 'gu')) ?? ['']);
    this.lines = broken;
    this.row = broken.length - 1;
    this.column = (broken.at(-1) as string).length;
  }
}

describe('liveFrame', () => {
  it('draws each frame over the last one, and leaves the last one standing', () => {
    const screen = new Screen(20);
    screen.write('before\n');
    const live = liveFrame(screen);
    live.draw(['░░░', 'two']);
    expect([screen.lines, screen.cursor]).toEqual([['before', '░░░', 'two'], false]);
    live.draw(['a░░']);
    expect(screen.lines).toEqual(['before', 'a░░']);
    live.draw(['abc', 'd', 'e']);
    expect(screen.lines).toEqual(['before', 'abc', 'd', 'e']);
    live.end();
    expect([screen.lines, screen.cursor]).toEqual([['before', 'abc', 'd', 'e', ''], true]);
    live.end(['more']);
    live.draw(['more']);
    expect(screen.lines).toEqual(['before', 'abc', 'd', 'e', '']);
  });

  it('ends with other lines where it is given some, and writes nothing where nothing was drawn', () => {
    const screen = new Screen(20);
    const live = liveFrame(screen);
    live.draw(['one']);
    live.end(['whole', 'text']);
    expect([screen.lines, screen.cursor]).toEqual([['whole', 'text', ''], true]);
    const silent = new Screen(20);
    liveFrame(silent).end();
    expect([silent.lines, silent.cursor]).toEqual([[''], true]);
  });

  it('finds its first line again when the terminal was made narrower', () => {
    const screen = new Screen(20);
    screen.write('before\n');
    const live = liveFrame(screen);
    live.draw(['0123456789abcdef', '\u001b[2mxyz\u001b[22m'].map(plainText));
    screen.resize(10);
    expect(screen.lines).toEqual(['before', '0123456789', 'abcdef', 'xyz']);
    live.draw(['new']);
    expect(screen.lines).toEqual(['before', 'new']);
  });
});
