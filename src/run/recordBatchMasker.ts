// The operator `mask` on record batches: rows get the origins that they bring, or their row number as id, so a row's mask
// depends on the seed and the row and never on how the rows are cut into record batches.
import type { RecordBatch, Schema } from 'apache-arrow';
import { Subject } from 'rxjs';
import { fromRecordBatch } from '../core/arrow/index.js';
import type { AnyBatch, Column, Data, Origin } from '../core/batch.js';
import { Gate, within } from '../core/demand/index.js';
import { sizeOf } from '../core/batch.js';
import { checkOptions } from '../core/options.js';
import { mask } from '../operators/mask.js';
import type { Mask } from '../operators/masks/index.js';
import { type RowColumns, maskColumns } from './maskColumns.js';
import { type LayoutOptions, type MaskLayout, type RowLayout, maskLayout } from './maskLayout.js';

export interface MaskerOptions extends LayoutOptions {
  /** Seed of every draw; default 0. */
  readonly seed?: number;
}

/** The masks of one record batch. */
export interface Masks {
  /** uint8 [rows, …grid] where all rows share a grid, else one array a row, as long as the row: 1 = hidden. */
  readonly mask: Column<Uint8Array> | readonly Uint8Array[];
  readonly rows: number;
  /** Tokens of each row, where a column or a list tells. */
  readonly lengths?: Int32Array;
  /** Tokens that exist, and how many of them are hidden. */
  readonly tokens: number;
  readonly hidden: number;
}

export interface RecordBatchMasker {
  readonly layout: MaskLayout;
  /** The masks of the next record batch; call it for one after the other. */
  masks(recordBatch: RecordBatch): Masks;
  close(): void;
}

/**
 * Masks for record batches of one schema, by the operator `mask` with its usual name: the same masks that a chain draws
 * for these samples in epoch 0. The column `special` and those that the rule reads are taken from the data.
 *
 * @throws MaskflowError where the layout is not told (see `maskLayout`) or a column that the rule reads is missing; when used, for lengths and scores that do not fit
 *
 * @example
 * const masker = recordBatchMasker(schema, random({ ratio: 0.75 }), { grid: [14, 14], seed: 7 });
 * masker.masks(recordBatch).mask; // uint8 [rows, 14, 14]
 */
export function recordBatchMasker(schema: Schema, rule: Mask, options: MaskerOptions = {}): RecordBatchMasker {
  checkOptions('recordBatchMasker', options, ['grid', 'length', 'score', 'seed']);
  const { seed = 0, ...chosen } = options;
  const layout = maskLayout(schema, chosen);
  const columns = maskColumns(schema, rule);
  const { operate, close } = operator(rule, seed, chosen.score !== undefined);
  let first = 0;
  return {
    layout,
    close,
    masks(recordBatch) {
      const { origins, rows } = fromRecordBatch(recordBatch, { firstId: first });
      const read = layout.read(recordBatch, first);
      const seen = columns.read(recordBatch, first);
      first += rows;
      const masks = layout.grid === undefined ? ragged(origins, read, seen, operate) : onGrid(layout.grid, origins, read, seen, operate);
      const { lengths } = read;
      let tokens = rows * sizeOf(layout.grid ?? []);
      if (lengths !== undefined) {
        tokens = 0;
        for (const length of lengths) tokens += length;
      }
      let hidden = 0;
      for (const bytes of 'data' in masks ? [masks.data] : masks) for (const byte of bytes) hidden += byte;
      return { mask: masks, rows, tokens, hidden, ...(lengths === undefined ? {} : { lengths }) };
    },
  };
}

/** The stage as a function: it is synchronous, so what goes in has come out when `next` returns. */
function operator(rule: Mask, seed: number, scored: boolean): { operate: (batch: AnyBatch) => Column<Uint8Array>; close: () => void } {
  const batches = new Subject<AnyBatch>();
  let masked: Column<Uint8Array> | undefined;
  let failed: unknown;
  const chain = batches.pipe(mask(rule, scored ? { score: 'score' } : {}) as never) as Subject<AnyBatch>;
  const subscription = within({ gate: new Gate({ seed }) }, () =>
    chain.subscribe({
      next: ({ columns }) => {
        masked = columns.mask as Column<Uint8Array>;
      },
      error: (error) => {
        failed = error;
      },
    }),
  );
  return {
    operate(batch) {
      masked = undefined;
      batches.next(batch);
      if (masked === undefined) throw failed;
      return masked;
    },
    close: () => subscription.unsubscribe(),
  };
}

/** A batch as the operator reads it: lengths and scores under their well-known names, and what else the rule may see. */
function tokensOf(
  grid: readonly number[],
  origins: readonly Origin[],
  lengths: Int32Array | undefined,
  score: Float32Array | undefined,
  seen: Readonly<Record<string, Column>>,
): AnyBatch {
  const rows = origins.length;
  const columns: Record<string, Column> = { ...seen };
  if (lengths !== undefined) columns.length = { data: lengths, shape: [rows] };
  if (score !== undefined) columns.score = { data: score, shape: [rows, ...grid] };
  return { rows, columns, origins, grid, program: undefined };
}

function onGrid(
  grid: readonly number[],
  origins: readonly Origin[],
  { lengths, score }: RowLayout,
  seen: RowColumns,
  operate: (batch: AnyBatch) => Column<Uint8Array>,
): Column<Uint8Array> {
  const cells = sizeOf(grid);
  const rows = origins.length;
  const lengthOf = (row: number): number => lengths?.[row] ?? cells;
  let scores: Float32Array | undefined;
  if (score !== undefined) {
    scores = new Float32Array(rows * cells);
    for (let row = 0; row < rows; row++) scores.set(score(row, cells, lengthOf(row)), row * cells);
  }
  const columns: Record<string, Column> = {};
  for (let row = 0; row < rows; row++) {
    for (const [name, part] of Object.entries(seen(row, cells, lengthOf(row)))) {
      columns[name] ??= { data: new (part.constructor as new (size: number) => Data)(rows * part.length), shape: [rows, part.length] };
      columns[name].data.set(part, row * part.length);
    }
  }
  return operate(tokensOf(grid, origins, lengths, scores, columns));
}

/** Row by row, on a grid as long as the row: so not even a rule that looks at the padding could see the record batch. */
function ragged(origins: readonly Origin[], { lengths, score }: RowLayout, seen: RowColumns, operate: (batch: AnyBatch) => Column<Uint8Array>): Uint8Array[] {
  return origins.map((origin, row) => {
    const length = lengths?.[row] ?? 0;
    const scores = score?.(row, length, length);
    if (length === 0) return new Uint8Array(0);
    const columns = Object.fromEntries(Object.entries(seen(row, length, length)).map(([name, data]) => [name, { data, shape: [1, data.length] }]));
    return operate(tokensOf([length], [origin], undefined, scores, columns)).data;
  });
}
