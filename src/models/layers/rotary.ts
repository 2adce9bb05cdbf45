// Rotary positions (Su et al.: "RoFormer", 2021, section 3.2): each pair of channels is turned by an angle that grows with the
// position, so that a product of query and key depends on their distance alone. The pair of channel i is i + size / 2, as in
// LLaMA's code, not its neighbour as in the paper: the same up to an order of channels, and what stored weights expect.
import * as tf from '@tensorflow/tfjs';
import type { Tensor } from '../../core/program.js';

export interface Angles {
  /** Both broadcast with [rows, heads, tokens, size / 2]. */
  readonly cos: Tensor;
  readonly sin: Tensor;
}

/** Angle of channel pair i a position: theta^(−2i / size). */
export function rotaryFrequencies(size: number, theta: number): number[] {
  return Array.from({ length: size / 2 }, (_, i) => theta ** ((-2 * i) / size));
}

/**
 * Cosines and sines for heads of `size` channels at positions 0 … tokens − 1, or at the int32 `positions` [rows, tokens].
 *
 * @example
 * const angles = rotaryAngles({ tokens: 128, size: 32, theta: 10_000 });
 */
export function rotaryAngles({ tokens, size, theta, positions }: { tokens: number; size: number; theta: number; positions?: Tensor | undefined }): Angles {
  const frequencies = rotaryFrequencies(size, theta);
  if (positions !== undefined) {
    const angles = positions.toFloat().reshape([-1, 1, tokens, 1]).mul(tf.tensor1d(frequencies));
    return { cos: angles.cos(), sin: angles.sin() };
  }
  const table = (f: (angle: number) => number): Tensor =>
    tf.tensor(
      Float32Array.from({ length: tokens * frequencies.length }, (_, i) =>
        f(Math.floor(i / frequencies.length) * (frequencies[i % frequencies.length] as number)),
      ),
      [1, 1, tokens, frequencies.length],
    );
  return { cos: table(Math.cos), sin: table(Math.sin) };
}

/**
 * `x` [rows, heads, tokens, size], every pair of channels turned by its token's angle.
 *
 * @example
 * const query = rotary(split(x), angles);
 */
export function rotary(x: Tensor, { cos, sin }: Angles): Tensor {
  const [rows, heads, tokens, size] = x.shape as [number, number, number, number];
  const half = size / 2;
  const a = x.slice([0, 0, 0, 0], [rows, heads, tokens, half]);
  const b = x.slice([0, 0, 0, half], [rows, heads, tokens, half]);
  return tf.concat([a.mul(cos).sub(b.mul(sin)), b.mul(cos).add(a.mul(sin))], 3);
}
