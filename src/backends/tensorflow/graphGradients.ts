import * as tf from '@tensorflow/tfjs';
import type { Tensors } from '../../core/program.js';
import { EagerGradients } from '../eagerGradients.js';
import { squaresOf } from '../onnx/squaresWork.js';

/** Gradients that a graph made. Their norm is added up as in the graph of a step: both must come to the same number. */
export class GraphGradients extends EagerGradients {
  override async norm(): Promise<number> {
    const squares = tf.tidy(() => squaresOf(this.read('norm')));
    try {
      return Math.sqrt((await squares.data<'float32'>()).reduce((total, square) => total + square, 0));
    } finally {
      squares.dispose();
    }
  }

  protected override make(tensors: Tensors, sum: number, count: number): GraphGradients {
    return new GraphGradients(this.owner, tensors, sum, count);
  }
}
