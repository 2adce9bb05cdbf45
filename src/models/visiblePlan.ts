// Which tokens the encoder reads, as index columns made on the host: the number of visible tokens depends on values, and
// a compiled step must know its shapes before it sees any. Masks with exact counts give plans without padding; ragged ones
// (Bernoulli masks, valid lengths) are padded to one of at most 16 widths, so that few shapes are ever compiled.
import { type Column, type Data, sizeOf } from '../core/batch.js';
import { MaskflowError } from '../core/errors.js';

/**
 * Index columns of one batch. All four are always there, so that a second plan replaces a first one whole; the two `…Keys`
 * have a width of 0 where nothing pads, and are then not read.
 */
export interface VisiblePlan {
  /** int32 [rows, slots]: visible tokens in raster order, −1 in slots that pad. */
  readonly visible: Column<Int32Array>;
  /** int32 [rows, tokens]: slot of each visible token, −1 for hidden tokens and padding. */
  readonly restore: Column<Int32Array>;
  /** float32 [rows, slots]: 1 in slots that hold a token, 0 in those that pad; [rows, 0] where none pads. */
  readonly visibleKeys: Column<Float32Array>;
  /** float32 [rows, tokens]: 1 for tokens within their row's length, 0 for padding; [rows, 0] where none pads. */
  readonly tokenKeys: Column<Float32Array>;
}

export interface VisiblePlanInput {
  readonly rows: number;
  /** Tokens of a row, padding included. */
  readonly tokens: number;
  /** [rows, …grid], not 0 = hidden; without it nothing is hidden. */
  readonly mask?: Column;
  /** [rows], tokens that exist; without it all do. */
  readonly length?: Column;
}

function lengths(rows: number, tokens: number, column: Column | undefined): Int32Array {
  if (column === undefined) return new Int32Array(rows).fill(tokens);
  if (column.data.length !== rows)
    throw new MaskflowError({ stage: 'visiblePlan', option: 'length', rule: `must have one number a row (${rows} rows)`, value: column.shape });
  return Int32Array.from(column.data as ArrayLike<number>, (length, row) => {
    if (Number.isInteger(length) && length >= 0 && length <= tokens) return length;
    throw new MaskflowError({ stage: 'visiblePlan', option: 'length', rule: `must be an integer from 0 to ${tokens}`, value: length, where: `row ${row}` });
  });
}

/**
 * The plan of a batch, a pure function of mask and lengths. Tokens behind a row's length are neither visible nor hidden.
 * A row without a visible token keeps one slot that pads, so that no shape is empty.
 *
 * @example
 * visiblePlan({ rows: 1, tokens: 4, mask: { data: Uint8Array.of(1, 0, 1, 0), shape: [1, 2, 2] } });
 * // visible [1, 3], restore [−1, 0, −1, 1]
 */
export function visiblePlan({ rows, tokens, mask, length }: VisiblePlanInput): VisiblePlan {
  if (mask !== undefined && sizeOf(mask.shape) !== rows * tokens) {
    throw new MaskflowError({
      stage: 'visiblePlan',
      option: 'mask',
      rule: `must have one value a token (${rows} rows of ${tokens} tokens)`,
      value: mask.shape,
    });
  }
  const valid = lengths(rows, tokens, length);
  const hidden = mask?.data as Data | undefined;
  const isVisible = (row: number, token: number): boolean => token < (valid[row] as number) && !hidden?.[row * tokens + token];

  // 1. Slots: the longest row, rounded up where rows differ.
  const counts = Int32Array.from({ length: rows }, (_, row) => {
    let count = 0;
    for (let token = 0; token < tokens; token++) if (isVisible(row, token)) count++;
    return count;
  });
  const longest = Math.max(
    1,
    counts.reduce((most, count) => Math.max(most, count), 0),
  );
  const unit = Math.ceil(tokens / 16);
  const ragged = counts.some((count) => count !== longest);
  const slots = ragged ? Math.min(tokens, Math.ceil(longest / unit) * unit) : longest;

  // 2. Where each visible token goes, and where each slot comes from.
  const visible = new Int32Array(rows * slots).fill(-1);
  const restore = new Int32Array(rows * tokens).fill(-1);
  for (let row = 0; row < rows; row++) {
    let slot = 0;
    for (let token = 0; token < tokens; token++) {
      if (!isVisible(row, token)) continue;
      visible[row * slots + slot] = token;
      restore[row * tokens + token] = slot++;
    }
  }
  const none = { data: new Float32Array(0), shape: [rows, 0] };
  return {
    visible: { data: visible, shape: [rows, slots] },
    restore: { data: restore, shape: [rows, tokens] },
    visibleKeys: ragged ? { data: Float32Array.from(visible, (token) => (token < 0 ? 0 : 1)), shape: [rows, slots] } : none,
    tokenKeys: valid.every((count) => count === tokens)
      ? none
      : {
          data: Float32Array.from({ length: rows * tokens }, (_, i) => (i % tokens < (valid[Math.floor(i / tokens)] as number) ? 1 : 0)),
          shape: [rows, tokens],
        },
  };
}
