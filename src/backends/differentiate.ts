import * as tf from '@tensorflow/tfjs';
import { MaskflowError } from '../core/errors.js';
import type { Loss, Tensor, Tensors } from '../core/program.js';

/**
 * Gradients of a loss's sum by name, and [sum, count] as one tensor; all of them kept. Run it inside a tidy scope.
 *
 * @param values tensors by name, at least those of `names`
 * @throws MaskflowError where no name reaches the loss; a single one that does not gets zeros
 */
export function differentiate(loss: () => Loss, names: readonly string[], values: Tensors): { found: Record<string, Tensor>; total: Tensor } {
  let count: Tensor | undefined;
  try {
    const { value, grads } = tf.engine().gradients(
      () => {
        const built = loss();
        count = tf.keep(built.count.toFloat().clone());
        return built.sum;
      },
      names.map((name) => values[name] as Tensor),
      undefined,
      true, // a parameter that the loss does not reach has no gradient here; it gets zeros below
    );
    if (grads.every((gradient) => gradient == null))
      throw new MaskflowError({
        rule: 'no trainable parameter reaches the loss',
        hint: 'Its value must be computed from the parameters by operations that have gradients.',
      });
    const found: Record<string, Tensor> = {};
    names.forEach((name, i) => {
      found[name] = grads[i]?.clone() ?? tf.zerosLike(values[name] as Tensor);
    });
    const total = tf.keep(tf.stack([value, count as unknown as Tensor]));
    for (const tensor of Object.values(found)) tf.keep(tensor);
    return { found, total };
  } catch (error) {
    freeTape();
    throw error;
  } finally {
    count?.dispose();
  }
}

/** What tfjs saved for the backward pass is kept, and stays where the forward or backward pass throws: this frees it. */
function freeTape(): void {
  const { state } = tf.engine();
  if (state.gradientDepth !== 0) return;
  for (const node of state.activeTape ?? []) {
    for (const tensor of node.saved ?? []) tensor.dispose();
  }
  state.activeTape = [];
}
