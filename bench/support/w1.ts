// W1: pre-norm transformer blocks of our own layers and nothing around them, mean squared error to a target, Adam. The plain
// case: products, softmax, layer norm and GELU make up the whole step.
import * as tf from '@tensorflow/tfjs';
import { type Program, type Tensor, adamw, fold, layers, recipe } from 'maskflow';
import { type AdamSettings, type Workload, batchOf, firstWeights, normalColumn, workloadKey } from './workload.js';

export interface W1Options {
  readonly rows?: number;
  readonly tokens?: number;
  readonly width?: number;
  readonly heads?: number;
  readonly depth?: number;
}

const eps = 1e-5;
const adam: AdamSettings = { learningRate: 1e-3, beta1: 0.9, beta2: 0.999, eps: 1e-8, weightDecay: 0 };

/** Blocks `block.<i>` over the column `x`; loss = mean squared error of a token, summed, and the number of tokens. */
function blocks({ width, heads, depth }: Required<Pick<W1Options, 'width' | 'heads' | 'depth'>>): Program<'loss'> {
  return {
    recipe: recipe('bench', 'w1', { width, heads, depth }),
    weights: 'student',
    inputs: () => ['x', 'target'],
    parameters: () =>
      Object.assign({}, ...Array.from({ length: depth }, (_, i) => layers.transformerBlockParameters(`block.${i}`, { width, hidden: 4 * width }))),
    draws: () => ({}),
    build(parameters, { x, target }) {
      let y = x as Tensor;
      for (let i = 0; i < depth; i++) y = layers.transformerBlock(parameters, `block.${i}`, y, { heads, eps });
      // A mean a token, then their mean: one sum over 393,216 squares in float32, as tfjs's wasm takes it, loses four digits.
      const errors = y
        .sub(target as Tensor)
        .square()
        .mean(-1);
      return { loss: { sum: errors.sum(), count: tf.scalar(errors.size) } };
    },
  };
}

/** 4 blocks of width 192 with 3 heads on 64 tokens, batch 32; other sizes for tests. */
export function w1({ rows = 32, tokens = 64, width = 192, heads = 3, depth = 4 }: W1Options = {}): Workload {
  const name = 'w1';
  const key = workloadKey(name);
  const program = blocks({ width, heads, depth });
  const shape = [rows, tokens, width];
  const batch = batchOf(rows, { x: normalColumn(fold(key, 'x'), shape), target: normalColumn(fold(key, 'target'), shape) });
  const { learningRate } = adam;
  return {
    name,
    program,
    batch,
    optimizer: adamw(adam),
    scalars: (step) => ({ learningRate, step }),
    weights: firstWeights(name, program, batch),
    decays: [],
    model: { kind: 'blocks', depth, heads, eps },
    adam,
  };
}
