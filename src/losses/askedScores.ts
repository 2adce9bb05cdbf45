// How well a language model answers what it is asked, token by token: what evaluations sum up on the host.
import * as tf from '@tensorflow/tfjs';
import type { Program, Tensor } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import { askedInputs } from './askedInputs.js';
import { askedLabels } from './askedLabels.js';
import { surprisals } from './surprisals.js';

/** All float32 [slots]: 1 where a label is asked, its −ln p in nats, and 1 where it has the largest logit (the first of equals). */
export type AskedScore = 'asked' | 'surprisal' | 'right';

/**
 * The program of `model` that answers scores in place of its own outputs, so that no logits leave the engine. Reads `labels`; tokens of
 * weight 0 are not asked, other weights play no part.
 *
 * @example
 * const { surprisal } = await executor.evaluate(askedScores(encoder), batch, ['surprisal']);
 */
export function askedScores(model: Program<'askedLogits'>, labels = 'labels'): Program<AskedScore> {
  return {
    ...model,
    recipe: recipe('maskflow/losses', 'askedScores', { of: model.recipe, labels }),
    inputs: (signature) => [...new Set([...model.inputs(signature), ...askedInputs('askedScores', signature, { labels })])],
    build(parameters, columns, draws, signature) {
      const logits = model.build(parameters, columns, draws, signature).askedLogits as Tensor;
      const { label, weight } = askedLabels(columns, labels);
      const asked = weight.notEqual(0).toFloat();
      const each = surprisals(logits, label);
      return {
        asked,
        surprisal: tf.where(asked.notEqual(0), each, tf.zerosLike(each)),
        right: logits.argMax(-1).equal(label).toFloat().mul(asked),
      };
    },
  };
}
