// What a sampler's network is to us: a function of states. It may be a toy, an exact posterior, an executor with a program
// (`networkOf`), a guided one (`guided`), or a worker somewhere else.

export interface NetworkRequest {
  /** States, one a row. */
  readonly rows: number;
  /** Positions of the longest one. */
  readonly width: number;
  /** int32 [rows, width]; behind a row's length 0. */
  readonly ids: Int32Array;
  /** uint8 [rows, width], 1 = hidden. */
  readonly masked: Uint8Array;
  /** uint8 [rows, width], 1 = given at the start. */
  readonly prompt: Uint8Array;
  readonly lengths: Int32Array;
  /** Diffusion time of each row, in (0, 1]. */
  readonly time: Float64Array;
  /** The logits that are wanted, as row · width + position, ascending. */
  readonly positions: Int32Array;
  /** Which of several networks is meant; `full` unless a sampler says otherwise. */
  readonly pass: string;
  /** What samplers hand over, one a row; undefined where they hand over nothing. */
  readonly given: readonly unknown[];
}

export interface NetworkAnswer {
  /** float32 [positions, V], only what was asked for, or [rows, width, V]: told apart by their size. */
  readonly logits: Float32Array;
  /** What the sampler may want to hand over later, one a row. */
  readonly kept?: readonly unknown[];
}

/**
 * Logits of hidden tokens. A row's answer must not depend on the other rows of the request.
 *
 * @example
 * const uniform: Network = ({ positions }) => new Float32Array(positions.length * vocabulary);
 */
export type Network = (request: NetworkRequest) => Float32Array | NetworkAnswer | Promise<Float32Array | NetworkAnswer>;
