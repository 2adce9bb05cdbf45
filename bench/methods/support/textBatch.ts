// Rows of ids as a batch, as `tokenize` makes it.
import type { AnyBatch } from 'maskflow';

export interface TextRow {
  readonly ids: readonly number[];
  /** Index of the word of each token, −1 on special ones; without it every token is special or a word by `special`. */
  readonly words?: readonly number[];
  /** Bits as `linguisticEntity` reads them, one number a token. */
  readonly tags?: readonly number[];
  /** What samples are told apart by: a row's masks depend on it. */
  readonly id: number;
  readonly epoch?: number;
}

/**
 * Columns `tokens`, `length`, `special`, `words` and, where rows have them, `tags`, padded to `width` with id 0.
 *
 * @param isSpecial says of an id whether it is special
 */
export function textBatch(rows: readonly TextRow[], width: number, isSpecial: (id: number) => boolean): AnyBatch {
  const shape = [rows.length, width];
  const column = <T extends Int32Array | Uint8Array>(data: T, of: (row: TextRow) => ArrayLike<number> | undefined): T => {
    rows.forEach((row, r) => {
      const values = of(row);
      if (values !== undefined) data.set(values as number[], r * width);
    });
    return data;
  };
  const size = rows.length * width;
  const special = column(new Uint8Array(size).fill(1), ({ ids }) => ids.map((id) => (isSpecial(id) ? 1 : 0)));
  const own = ({ ids }: TextRow): number[] => {
    let word = 0;
    return ids.map((id) => (isSpecial(id) ? -1 : word++));
  };
  return {
    rows: rows.length,
    columns: {
      tokens: { data: column(new Int32Array(size), ({ ids }) => ids), shape },
      length: { data: Int32Array.from(rows, ({ ids }) => ids.length), shape: [rows.length] },
      special: { data: special, shape },
      words: { data: column(new Int32Array(size).fill(-1), (row) => row.words ?? own(row)), shape },
      ...(rows.some(({ tags }) => tags !== undefined) ? { tags: { data: column(new Uint8Array(size), ({ tags }) => tags), shape } } : {}),
    },
    origins: rows.map(({ id, epoch = 0 }) => ({ source: 0, id, epoch, position: id })),
    program: undefined,
  };
}
