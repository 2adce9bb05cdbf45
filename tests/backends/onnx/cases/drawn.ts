// What a kernel is checked on: shapes and parameters drawn by fast-check, which can make a failing example smaller.
import type * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import { normals, rootKey, uniforms } from '../../../../src/core/key.js';

export type Shape = readonly number[];
export interface Given {
  readonly shape: Shape;
  readonly dtype: 'float32' | 'int32' | 'bool';
  readonly data: Float32Array | Int32Array | Uint8Array;
}
/** One call: gradients are taken with respect to all float inputs. */
export interface Example {
  readonly inputs: readonly Given[];
  readonly apply: (...tensors: tf.Tensor[]) => tf.Tensor | tf.Tensor[];
}
export interface KernelCase {
  /** tfjs kernel that the call must run. */
  readonly kernel: string;
  /** Where a kernel has several. */
  readonly title?: string;
  readonly draw: (drawn: Drawn) => Example;
  /** False where tfjs has no gradient, or a wrong one. */
  readonly gradient?: false;
  readonly tolerance?: number;
}

export type Law = 'normal' | 'positive' | 'within' | 'beyond';
const laws: Readonly<Record<Law, (x: number) => number>> = {
  normal: (x) => x,
  positive: (x) => 0.2 + Math.abs(x),
  within: (x) => 0.95 * Math.tanh(x),
  beyond: (x) => 1.1 + Math.abs(x),
};

export const size = (shape: Shape): number => shape.reduce((a, b) => a * b, 1);

export class Drawn {
  readonly #generate: fc.GeneratorValue;
  constructor(generate: fc.GeneratorValue) {
    this.#generate = generate;
  }

  int(min: number, max: number): number {
    return this.#generate(fc.integer, { min, max });
  }
  bool(): boolean {
    return this.#generate(fc.boolean);
  }
  pick<T>(list: readonly T[]): T {
    return list[this.int(0, list.length - 1)] as T;
  }
  /** Sides from 1 to 4. */
  shape(minRank = 0, maxRank = 4): number[] {
    return Array.from({ length: this.int(minRank, maxRank) }, () => this.int(1, 4));
  }
  /** A shape that broadcasts to `shape`. */
  narrower(shape: Shape): number[] {
    return shape.slice(this.int(0, shape.length)).map((side) => (this.bool() ? side : 1));
  }
  /** Some of 0 … count − 1, ascending; at least one. */
  some(count: number): number[] {
    const first = this.int(0, count - 1);
    return Array.from({ length: count }, (_, i) => i).filter((i) => i === first || this.bool());
  }
  permutation(count: number): number[] {
    const rest = Array.from({ length: count }, (_, i) => i);
    return Array.from({ length: count }, () => rest.splice(this.int(0, rest.length - 1), 1)[0] as number);
  }
  floats(shape: Shape, law: Law = 'normal'): Given {
    return { shape, dtype: 'float32', data: Float32Array.from(normals(rootKey(this.int(0, 1e6)), size(shape)), laws[law]) };
  }
  /** Integers from min to max. */
  ints(shape: Shape, min = -5, max = 5): Given {
    return { shape, dtype: 'int32', data: Int32Array.from(uniforms(rootKey(this.int(0, 1e6)), size(shape)), (u) => min + Math.floor(u * (max - min + 1))) };
  }
  bools(shape: Shape): Given {
    return { shape, dtype: 'bool', data: Uint8Array.from(this.ints(shape, 0, 1).data) };
  }
  of(dtype: Given['dtype'], shape: Shape, law?: Law): Given {
    return dtype === 'float32' ? this.floats(shape, law) : dtype === 'int32' ? this.ints(shape) : this.bools(shape);
  }
}
