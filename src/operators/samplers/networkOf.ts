// A model as a sampler's network: the adapter from states to batches of one shape, and from outputs to logits on the host.
import type { AnyBatch, Column } from '../../core/batch.js';
import { MaskflowError } from '../../core/errors.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import type { Executor, Program } from '../../core/program.js';
import type { Network, NetworkRequest } from './network.js';

export interface NetworkOfOptions {
  /** Rows of every batch: fewer are filled up, more are cut, so that an engine compiles one shape. Default: as many as are asked for. */
  readonly rows?: number;
  /** Widths are rounded up to a multiple of this. Default 1. */
  readonly multiple?: number;
  /** Columns that the program reads beside those below, for `rows` rows of `width` tokens. */
  readonly columns?: (rows: number, width: number) => Readonly<Record<string, Column>>;
  /** Weight set to read instead of the program's own: `ema`. */
  readonly weights?: string;
}

/**
 * A network of an executor and a program: of its output `logits`, float32 [rows, width, V], or, where its `prepare` makes a column
 * `asked` from `labels` (as that of `textEncoder` does), of `askedLogits` at the hidden positions alone. The program reads any of
 * `tokens` and `inputs` (both the ids, the mask id where hidden; int32 [rows, width]), `mask` (uint8, 1 = hidden), `labels` (int32,
 * 0 where logits are wanted, −100 elsewhere), `length` (int32 [rows]), `special` (uint8, 1 = padding) and `time` (float32 [rows]).
 *
 * @throws MaskflowError for unknown options; when used, for an output of another shape
 *
 * @example
 * const network = networkOf(executor, textEncoder({ … }), { rows: 8, multiple: 32 });
 */
export function networkOf(executor: Executor, program: Program<'logits'>, options: NetworkOfOptions = {}): Network {
  checkOptions('networkOf', options, ['rows', 'multiple', 'columns', 'weights']);
  const { rows: fixed, multiple = 1, columns, weights } = options;
  check(typeof program?.build === 'function', 'networkOf', 'program', 'must be a program', program);
  if (fixed !== undefined) checkInteger('networkOf', 'rows', fixed);
  checkInteger('networkOf', 'multiple', multiple);
  return async (request) => {
    const width = Math.ceil(request.width / multiple) * multiple;
    const rows = fixed ?? request.rows;
    let logits: Float32Array | undefined;
    for (let first = 0, at = 0; first < request.rows; first += rows) {
      // 1. The positions of these rows, in the batch's own numbers.
      const begin = at;
      const wanted: number[] = [];
      for (; at < request.positions.length; at++) {
        const position = request.positions[at] as number;
        const row = Math.floor(position / request.width) - first;
        if (row >= rows) break;
        wanted.push(row * width + (position % request.width));
      }
      if (wanted.length === 0) continue;
      // 2. A model that runs its head only where it is asked is asked there; others answer everywhere.
      const batch = batchOf(request, first, rows, width, wanted, columns);
      const prepared = program.prepare?.(batch);
      const asked = prepared?.asked !== undefined;
      const output = asked ? 'askedLogits' : 'logits';
      const whole = prepared === undefined ? batch : { ...batch, columns: { ...batch.columns, ...prepared } };
      const answer = (await executor.evaluate(program as Program, whole, [output], weights))[output] as Column<Float32Array>;
      const vocabulary = answer.shape.at(-1) as number;
      if (asked ? answer.shape.length !== 2 : answer.shape.join() !== [rows, width, vocabulary].join()) {
        const rule = asked ? 'the output askedLogits must be [slots, V]' : `the output logits must be [${rows}, ${width}, V]`;
        throw new MaskflowError({ stage: 'unmask', option: 'model', rule, value: answer.shape });
      }
      logits ??= new Float32Array(request.positions.length * vocabulary);
      for (let i = 0; i < wanted.length; i++) {
        const from = (asked ? i : (wanted[i] as number)) * vocabulary;
        logits.set(answer.data.subarray(from, from + vocabulary), (begin + i) * vocabulary);
      }
    }
    return logits ?? new Float32Array(0);
  };
}

function batchOf(
  request: NetworkRequest,
  first: number,
  rows: number,
  width: number,
  wanted: readonly number[],
  columns: NetworkOfOptions['columns'],
): AnyBatch {
  const labels = new Int32Array(rows * width).fill(-100);
  for (const position of wanted) labels[position] = 0;
  const tokens = new Int32Array(rows * width);
  const mask = new Uint8Array(rows * width);
  const special = new Uint8Array(rows * width).fill(1);
  const length = new Int32Array(rows);
  const time = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    // Rows that only fill up repeat the last one: nothing of theirs is read.
    const of = Math.min(first + row, request.rows - 1);
    const from = of * request.width;
    tokens.set(request.ids.subarray(from, from + request.width), row * width);
    mask.set(request.masked.subarray(from, from + request.width), row * width);
    length[row] = request.lengths[of] as number;
    special.fill(0, row * width, row * width + (length[row] as number));
    time[row] = request.time[of] as number;
  }
  const shape = [rows, width];
  return {
    rows,
    grid: [width],
    columns: {
      ...columns?.(rows, width),
      tokens: { data: tokens, shape },
      inputs: { data: tokens, shape },
      labels: { data: labels, shape },
      mask: { data: mask, shape },
      special: { data: special, shape },
      length: { data: length, shape: [rows] },
      time: { data: time, shape: [rows] },
    },
    origins: Array.from({ length: rows }, (_, id) => ({ source: 0, id, epoch: 0, position: id })),
    program: undefined,
  };
}
