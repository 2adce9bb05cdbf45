// Where unmasking begins: prompts, and what is to be generated.
import { MaskflowError } from '../core/errors.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import type { UnmaskRow } from './samplers/sampler.js';

/** All rows after a step. Immutable; plain data, so it can be kept and gone on from. */
export interface UnmaskState {
  /** Steps made so far, 0 at the start. */
  readonly step: number;
  /** Calls of the network so far. */
  readonly passes: number;
  readonly rows: readonly UnmaskRow[];
}

export interface CanvasOptions {
  /** Id that stands for a hidden token. */
  readonly maskId: number;
  /** Hidden tokens behind each row's own. Default 0. */
  readonly generate?: number;
  /** Identities of the rows, which their draws depend on. Default: their numbers. */
  readonly ids?: readonly number[];
}

/**
 * The state to start from: each row's tokens, hidden where they are the mask id, and `generate` hidden tokens behind them. Rows may
 * have different lengths.
 *
 * @throws MaskflowError for ids that are no whole numbers ≥ 0, or not one a row
 *
 * @example
 * canvas([[5, 8], [7]], { maskId: 0, generate: 16 });
 */
export function canvas(rows: readonly ArrayLike<number>[], options: CanvasOptions): UnmaskState {
  checkOptions('canvas', options, ['maskId', 'generate', 'ids']);
  const { maskId, generate = 0, ids } = options;
  checkInteger('canvas', 'maskId', maskId, 0);
  checkInteger('canvas', 'generate', generate, 0);
  check(ids === undefined || (ids.length === rows.length && new Set(ids).size === ids.length), 'canvas', 'ids', 'must be one number a row, all different', ids);
  return {
    step: 0,
    passes: 0,
    rows: rows.map((tokens, row) => {
      const all = new Int32Array(tokens.length + generate).fill(maskId);
      for (let i = 0; i < tokens.length; i++) {
        const id = tokens[i] as number;
        if (!Number.isInteger(id) || id < 0)
          throw new MaskflowError({ stage: 'canvas', rule: `token ${i} of row ${row} must be an id of at least 0`, value: id });
        all[i] = id;
      }
      const masked = Uint8Array.from(all, (id) => (id === maskId ? 1 : 0));
      return { id: ids?.[row] ?? row, ids: all, masked, free: masked, step: 0, time: 1 };
    }),
  };
}
