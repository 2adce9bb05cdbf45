// What `maskflow unmask` shows of a state: lines of text for a terminal of some size. Pure, so that it can be looked at without one.
import { createColors } from 'picocolors';
import type { UnmaskState } from '../operators/canvas.js';
import type { Tokenizer } from '../operators/views/tokenizer.js';
import { type TextPiece, rowPieces } from '../sinks/rowPieces.js';

export interface FrameOptions {
  /** Width and height of the terminal in cells. */
  readonly columns: number;
  readonly lines: number;
  /** Prompts bold, hidden tokens dim; without colour prompts stand in ‹ ›. */
  readonly color: boolean;
  /** A line below: how far it is. */
  readonly status?: string;
}

interface Cell {
  readonly text: string;
  readonly width: number;
  readonly kind: TextPiece['kind'];
}

const graphemes = new Intl.Segmenter(undefined, { granularity: 'grapheme' });
const wide =
  /^[\u1100-\u115f\u2e80-\u303e\u3041-\ua4cf\uac00-\ud7a3\uf900-\ufaff\ufe30-\ufe6f\uff00-\uff60\uffe0-\uffe6\u{1f300}-\u{1faff}\u{20000}-\u{3fffd}]/u;
const noWidth = /^[\p{Mn}\p{Me}\p{Cf}]+$/u;

/** Cells that a text takes in a terminal. */
export function cellWidth(text: string): number {
  let width = 0;
  for (const { segment } of graphemes.segment(text)) width += widthOf(segment);
  return width;
}

const widthOf = (grapheme: string): number => (noWidth.test(grapheme) ? 0 : wide.test(grapheme) ? 2 : 1);

/** What a terminal would obey, or break a line at, as spaces. */
export const oneLine = (text: string): string => text.replace(/[\s\p{Cc}\u200e\u200f\u202a-\u202e\u2066-\u2069]/gu, ' ');

/** Cells in lines of at most `columns`, broken behind the last space where there is one. */
function wrapped(cells: readonly Cell[], columns: number): Cell[][] {
  const lines: Cell[][] = [];
  let line: Cell[] = [];
  let width = 0;
  for (const cell of cells) {
    if (width + cell.width > columns && line.length > 0) {
      const space = line.findLastIndex(({ text }) => text === ' ');
      const rest = space >= 0 && cell.text !== ' ' ? line.splice(space + 1) : [];
      lines.push(line);
      line = rest;
      width = rest.reduce((sum, { width: w }) => sum + w, 0);
      // The space at which a line ends is not shown at the next one's begin.
      if (cell.text === ' ' && line.length === 0) continue;
    }
    line.push(cell);
    width += cell.width;
  }
  return [...lines, line];
}

/**
 * A state as lines, none wider than `columns` − 1 (a full line would wrap the cursor), rows with an empty line between them. Of
 * more lines than the terminal has, the last ones: a line that has left the screen cannot be drawn again.
 */
export function unmaskFrame(state: Pick<UnmaskState, 'rows'>, words: Tokenizer, { columns, lines: height, color, status }: FrameOptions): string[] {
  const paint = createColors(color);
  const width = Math.max(1, columns - 1);
  const lines: string[] = [];
  for (const [i, row] of state.rows.entries()) {
    const pieces = rowPieces(row, words).map(({ kind, text }) => ({ kind, text: kind === 'given' && !color ? bracketed(oneLine(text)) : oneLine(text) }));
    const cells = pieces.flatMap(({ kind, text }) =>
      [...graphemes.segment(text)].map(({ segment }): Cell => ({ text: segment, width: widthOf(segment), kind })),
    );
    if (i > 0) lines.push('');
    for (const line of wrapped(cells, width)) lines.push(painted(line, { given: paint.bold, made: String, hidden: paint.dim }));
  }
  if (status !== undefined) lines.push(...(height > 2 ? [''] : []), paint.dim(cut(status, width)));
  return lines.slice(-Math.max(1, height - 1));
}

/** ‹text›, spaces at its ends left outside. */
const bracketed = (text: string): string =>
  text.replace(/^(\s*)(.*?)(\s*)$/su, (_, before: string, inner: string, after: string) => (inner === '' ? text : `${before}‹${inner}›${after}`));

const cut = (text: string, width: number): string => (text.length > width ? `${text.slice(0, Math.max(0, width - 1))}…` : text);

function painted(line: readonly Cell[], paint: Readonly<Record<TextPiece['kind'], (text: string) => string>>): string {
  let text = '';
  for (let begin = 0, end = 0; begin < line.length; begin = end) {
    const { kind } = line[begin] as Cell;
    while (end < line.length && line[end]?.kind === kind) end++;
    text += paint[kind](
      line
        .slice(begin, end)
        .map((cell) => cell.text)
        .join(''),
    );
  }
  return text;
}
