// One sentence of CoNLL-U (universaldependencies.org/format.html, version 2) from its lines: comments, words, multiword
// tokens, empty nodes.
import { MaskflowError } from '../../core/errors.js';

/** A token that stands for several words: `au` for `à` and `le`. Words `from` to `to`, counted from 0, both included. */
export interface MultiwordToken {
  readonly from: number;
  readonly to: number;
  readonly form: string;
  readonly misc: string;
}

/** A node without a word on the surface (8.1): after how many words, which of those there, and its columns as they are. */
export interface EmptyNode {
  readonly after: number;
  readonly index: number;
  readonly form: string;
  readonly lemma: string;
  readonly upos: string;
  readonly xpos: string;
  readonly feats: string;
  readonly deps: string;
  readonly misc: string;
}

/** A sentence; lists have one entry a word (syntactic words: IDs 1, 2, 3, …). `_` is kept where the file leaves a column open. */
export interface Sentence {
  /** `# sent_id`, or ''. */
  readonly id: string;
  /** `# text`, or the tokens put together as `SpaceAfter=No` says. */
  readonly text: string;
  readonly forms: readonly string[];
  readonly lemmas: readonly string[];
  readonly upos: readonly string[];
  readonly xpos: readonly string[];
  readonly feats: readonly string[];
  /** Head of each word, 0 = root, −1 where the file leaves it open. */
  readonly heads: readonly number[];
  readonly relations: readonly string[];
  readonly deps: readonly string[];
  readonly misc: readonly string[];
  readonly multiword: readonly MultiwordToken[];
  readonly empty: readonly EmptyNode[];
  /** Comments `# key = value`; one without `=` has the value ''. */
  readonly metadata: Readonly<Record<string, string>>;
}

const bad = (rule: string, line: number, value?: unknown): MaskflowError =>
  new MaskflowError({ rule: `a sentence cannot be used: ${rule}`, where: `line ${line}`, ...(value === undefined ? {} : { value }) });

/** The sentence in these lines; `line` is the number of the first. */
export function parseSentence(block: string, line: number): Sentence {
  const columns: string[][] = [];
  const heads: number[] = [];
  const multiword: MultiwordToken[] = [];
  const empty: EmptyNode[] = [];
  const metadata: Record<string, string> = {};
  /** Surface tokens, each with whether a space follows. */
  const surface: { readonly form: string; readonly spaced: boolean }[] = [];
  const spaced = (misc: string): boolean => !misc.split('|').includes('SpaceAfter=No');

  for (const [i, text] of block.split(/\r?\n/u).entries()) {
    const at = line + i;
    if (text.startsWith('#')) {
      const [, key = '', value = ''] = /^#\s*([^=]*?)\s*(?:=\s*(.*?)\s*)?$/u.exec(text) ?? [];
      Object.defineProperty(metadata, key, { value, enumerable: true, configurable: true, writable: true });
      continue;
    }
    const cells = text.split('\t');
    if (cells.length !== 10) throw bad('a line must have 10 columns with tabs between them', at, cells.length);
    if (cells.some((cell) => cell === '')) throw bad('a column must not be empty; _ stands for nothing', at, text);
    const [id, form, lemma, upos, xpos, feats, head, , deps, misc] = cells as [string, string, string, string, string, string, string, string, string, string];
    const [, first, mark, second] = /^(\d+)(?:([-.])(\d+))?$/u.exec(id) ?? [];
    const number = Number(first);
    if (first === undefined) throw bad('an ID must be a number, a range (3-4) or an empty node (8.1)', at, id);
    if (mark === '-') {
      const to = Number(second);
      if (number !== columns.length + 1 || to <= number)
        throw bad(`a range must begin at the next word, here ${columns.length + 1}, and end behind it`, at, id);
      const last = multiword.at(-1);
      if (last !== undefined && number - 1 <= last.to) throw bad(`ranges must not overlap; the one before ends at ${last.to + 1}`, at, id);
      multiword.push({ from: number - 1, to: to - 1, form, misc });
      surface.push({ form, spaced: spaced(misc) });
    } else if (mark === '.') {
      const before = empty.at(-1);
      const index = before?.after === columns.length ? before.index + 1 : 1;
      if (number !== columns.length || Number(second) !== index) throw bad(`the next empty node here is ${columns.length}.${index}`, at, id);
      empty.push({ after: number, index, form, lemma, upos, xpos, feats, deps, misc });
    } else {
      if (number !== columns.length + 1) throw bad(`words are numbered 1, 2, 3, …; here ${columns.length + 1} is next`, at, id);
      if (head !== '_' && !/^\d+$/u.test(head)) throw bad('a head must be the number of a word, 0 or _', at, head);
      columns.push(cells);
      heads.push(head === '_' ? -1 : Number(head));
      const inside = multiword.at(-1);
      if (inside === undefined || columns.length - 1 > inside.to) surface.push({ form, spaced: spaced(misc) });
    }
  }
  const last = line + block.split('\n').length - 1;
  if (columns.length === 0) throw bad('it has no words', line);
  const range = multiword.at(-1);
  if (range !== undefined && range.to >= columns.length) throw bad(`a range ends at word ${range.to + 1} of ${columns.length}`, last);
  const outside = heads.findIndex((head) => head > columns.length);
  if (outside >= 0) throw bad(`the head of word ${outside + 1} must be one of its ${columns.length} words`, last, heads[outside]);

  const column = (index: number): string[] => columns.map((cells) => cells[index] as string);
  const joined = surface.map(({ form, spaced }) => (spaced ? `${form} ` : form)).join('');
  return {
    id: metadata.sent_id ?? '',
    text: metadata.text ?? joined.trimEnd(),
    forms: column(1),
    lemmas: column(2),
    upos: column(3),
    xpos: column(4),
    feats: column(5),
    heads,
    relations: column(7),
    deps: column(8),
    misc: column(9),
    multiword,
    empty,
    metadata,
  };
}
