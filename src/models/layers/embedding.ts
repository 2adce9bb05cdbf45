import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../../core/program.js';
import { FAN, sumSizes } from '../sumPlan.js';

/** The columns of a `SumPlan` on the device: int32 [entries] and int32 [segments]. */
export interface SumTensors {
  readonly sources: Tensor;
  readonly places: Tensor;
}

/**
 * Rows of `table` [segments, width] by int32 `ids` of any shape: [...ids, width]. With the `plan` of these ids (`sumPlan`) the
 * gradient is a tree of gathers and sums; without it that of `gather`, a segment sum, which is slow for large tables.
 *
 * @example
 * const x = embedding(table, ids, { sources, places });
 */
export function embedding(table: Tensor, ids: Tensor, plan?: SumTensors): Tensor {
  const [segments, width] = table.shape as [number, number];
  const flat = ids.reshape([-1]) as tf.Tensor1D;
  const shape = [...ids.shape, width];
  if (plan === undefined) return tf.gather(table, flat).reshape(shape);
  const apply = tf.customGrad((x, save) => {
    (save as (tensors: Tensor[]) => void)([plan.sources, plan.places]);
    return {
      value: tf.gather(x as Tensor, flat),
      gradFunc: (dy: Tensor, [sources, places]: Tensor[]) =>
        sumBySegment(dy, { sources: sources as Tensor, places: places as Tensor }, dy.shape[0] as number, segments),
    };
  });
  return apply(table).reshape(shape);
}

/** Rows of `x` [rows, width] added up by segment, [segments, width]. */
export function sumBySegment(x: Tensor, { sources, places }: SumTensors, rows: number, segments: number): Tensor {
  const width = x.shape[x.shape.length - 1] as number;
  const nothing = tf.zeros([1, width]);
  const sums: Tensor[] = [nothing];
  let below: Tensor = x.reshape([rows, width]);
  let begin = 0;
  for (const size of sumSizes(rows, segments)) {
    const level = sources.slice([begin], [size * FAN]) as tf.Tensor1D;
    below = tf
      .gather(tf.concat([nothing, below], 0), level)
      .reshape([size, FAN, width])
      .sum(1);
    sums.push(below);
    begin += size * FAN;
  }
  return tf.gather(tf.concat(sums, 0), places as tf.Tensor1D);
}
