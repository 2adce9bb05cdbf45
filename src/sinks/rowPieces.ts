// A row that is being unmasked as text. A token may be part of a character (byte-level BPE) or of a word (##ing), so visible tokens are
// decoded together, run by run, and only then cut into what was given and what is new.
import type { UnmaskRow } from '../operators/samplers/sampler.js';
import type { Tokenizer } from '../operators/views/tokenizer.js';

/** A stretch of a row: text that was given, text that was made, or hidden tokens, one `hidden` sign each. */
export interface TextPiece {
  readonly kind: 'given' | 'made' | 'hidden';
  readonly text: string;
}

type Row = Pick<UnmaskRow, 'ids' | 'masked' | 'free'>;

/**
 * The pieces of a row from left to right; their texts joined are the whole. Special tokens are left out; a character of which
 * bytes are still hidden is shown as �.
 *
 * @example
 * rowPieces(row, words).map(({ text }) => text).join(''); // 'The ░░░ of'
 */
export function rowPieces({ ids, masked, free }: Row, words: Pick<Tokenizer, 'decode' | 'special'>, hidden = '░'): TextPiece[] {
  // 1. Runs of hidden and of visible tokens, positions of special ones left out.
  const shown = Array.from(ids.keys()).filter((i) => masked[i] === 1 || words.special[ids[i] as number] !== 1);
  const pieces: TextPiece[] = [];
  for (let begin = 0, end = 0; begin < shown.length; begin = end) {
    const first = shown[begin] as number;
    end = begin + 1;
    while (end < shown.length && masked[shown[end] as number] === masked[first]) end++;
    const run = shown.slice(begin, end);
    const before = shown[begin - 1];
    const space = before === undefined ? '' : spaceBetween(words, ids[before] as number, ids[first] as number);
    if (masked[first] === 1) {
      const own = spaceBetween(words, ids[first] as number, ids[first] as number);
      pieces.push({ kind: 'hidden', text: space + Array(run.length).fill(hidden).join(own) });
    } else {
      const made = visiblePieces(run, ids, free, words);
      pieces.push(...made.map((piece, i) => (i === 0 ? { ...piece, text: space + piece.text } : piece)));
    }
  }
  // 2. The space that a first word carries is no part of the text.
  const begin = pieces.findIndex(({ text }) => text.trim() !== '');
  if (begin === -1) return [];
  const head = pieces[begin] as TextPiece;
  return [{ ...head, text: head.text.trimStart() }, ...pieces.slice(begin + 1)].filter(({ text }) => text !== '');
}

/** A run of visible tokens, decoded as one and cut where given and made tokens meet. */
function visiblePieces(
  run: readonly number[],
  ids: Int32Array,
  free: Uint8Array,
  words: Pick<Tokenizer, 'decode'>,
): { kind: 'given' | 'made'; text: string }[] {
  const whole = words.decode(run.map((i) => ids[i] as number));
  const pieces: { kind: 'given' | 'made'; text: string }[] = [];
  let from = 0;
  for (let begin = 0, end = 0; begin < run.length; begin = end) {
    const kind = free[run[begin] as number] === 1 ? 'made' : 'given';
    while (end < run.length && (free[run[end] as number] === 1) === (kind === 'made')) end++;
    // A character that both share a part of goes to the later one.
    const upTo = end === run.length ? whole.length : Math.max(from, sameStart(whole, words.decode(run.slice(0, end).map((i) => ids[i] as number))));
    pieces.push({ kind, text: whole.slice(from, upTo) });
    from = upTo;
  }
  return pieces;
}

/** How many leading code units two texts share. */
function sameStart(a: string, b: string): number {
  let length = 0;
  while (length < a.length && length < b.length && a[length] === b[length]) length++;
  return length;
}

/** The space that a tokenizer's decoder writes between two tokens, of which neither has it alone: word pieces do, byte-level tokens carry theirs. */
function spaceBetween(words: Pick<Tokenizer, 'decode'>, a: number, b: number): string {
  const text = (...of: number[]): string => words.decode(of, { special: true });
  return text(a, b) === `${text(a)} ${text(b)}` ? ' ' : '';
}
