import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../core/errors.js';
import { nearest } from '../core/nearest.js';
import type { Loss, Tensor } from '../core/program.js';

/** The loss of a program's outputs: two scalars. */
export function lossOf(built: Readonly<Record<'loss', Tensor | Loss>>): Loss {
  const found = 'loss' in built ? built.loss : undefined;
  if (found === undefined || !('sum' in found && 'count' in found) || found instanceof tf.Tensor) {
    throw new MaskflowError({ option: 'loss', rule: 'the program must have an output loss with a sum and a count', hint: 'Put loss(…) behind model(…).' });
  }
  for (const part of ['sum', 'count'] as const) {
    if (found[part].rank !== 0)
      throw new MaskflowError({ option: `loss.${part}`, rule: 'must be a scalar', value: found[part].shape, hint: 'Reduce it with .sum().' });
  }
  return found;
}

/** One output as a tensor; of a loss sum / count, which is NaN where nothing was counted. */
export function outputOf(built: Readonly<Record<string, Tensor | Loss>>, name: string): Tensor {
  if (!(name in built)) {
    const known = Object.keys(built);
    const near = nearest(name, known);
    throw new MaskflowError({ option: name, rule: 'the program has no such output', hint: near ? `Did you mean ${near}?` : `Outputs: ${known.join(', ')}.` });
  }
  const output = built[name] as Tensor | Loss;
  if (output instanceof tf.Tensor) return output;
  const { sum, count } = lossOf({ loss: output });
  return sum.toFloat().div(count.toFloat());
}
