// Comparisons that are cast to numbers and then moved about, over shapes of any rank, with a reference in plain JavaScript.
// An engine may keep what a comparison answers as integers behind a tensor that says float.
import * as tf from '@tensorflow/tfjs';
import fc from 'fast-check';
import type { AnyBatch } from '../../src/core/batch.js';
import type { Program, Tensor } from '../../src/core/program.js';
import { recipe } from '../../src/core/recipe.js';

const compared = {
  greater: [(x: Tensor): Tensor => x.greater(0), (x: number) => x > 0],
  lessEqual: [(x: Tensor): Tensor => x.lessEqual(1), (x: number) => x <= 1],
  equal: [(x: Tensor): Tensor => x.equal(0), (x: number) => x === 0],
  notEqual: [(x: Tensor): Tensor => x.notEqual(0), (x: number) => x !== 0],
  logicalNot: [(x: Tensor): Tensor => x.toBool().logicalNot(), (x: number) => x === 0],
  logicalAnd: [(x: Tensor): Tensor => x.greater(-1).logicalAnd(x.less(2)), (x: number) => x > -1 && x < 2],
  /** No comparison: integers all the same. */
  toInt: [(x: Tensor): Tensor => x.toInt(), Math.trunc],
} as const;

export interface Comparison {
  readonly by: keyof typeof compared;
  /** One to four axes; the first is the batch's. */
  readonly shape: readonly number[];
  readonly values: readonly number[];
  readonly perm: readonly number[];
  /** The one that is summed, gathered and concatenated along. */
  readonly axis: number;
  /** Places along `axis`. */
  readonly places: readonly number[];
}

export const comparisons: fc.Arbitrary<Comparison> = fc.array(fc.integer({ min: 1, max: 4 }), { minLength: 1, maxLength: 4 }).chain((shape) =>
  fc.nat(shape.length - 1).chain((axis) =>
    fc.record({
      by: fc.constantFrom(...(Object.keys(compared) as (keyof typeof compared)[])),
      shape: fc.constant(shape),
      values: fc.array(fc.constantFrom(-2, -1, -0.5, 0, 0.5, 1, 2, 256), { minLength: size(shape), maxLength: size(shape) }),
      perm: fc.shuffledSubarray(
        shape.map((_, i) => i),
        { minLength: shape.length },
      ),
      axis: fc.constant(axis),
      places: fc.array(fc.nat((shape[axis] as number) - 1), { minLength: 1, maxLength: 5 }),
    }),
  ),
);

const outputs = ['cast', 'transposed', 'summed', 'mean', 'largest', 'gathered', 'concatenated', 'integers', 'count'] as const;
export type ComparisonOutput = (typeof outputs)[number];
export const comparisonOutputs: readonly ComparisonOutput[] = outputs;

/** The comparison of column `x`, moved in every way. */
export function comparing({ by, perm, axis, places }: Comparison): Program<ComparisonOutput> {
  return {
    recipe: recipe('tests', 'comparing'),
    weights: 'student',
    inputs: () => ['x'],
    parameters: () => ({}),
    draws: () => ({}),
    build(_, columns) {
      const x = columns.x as Tensor;
      const answer = compared[by][0](x);
      const cast = answer.toFloat();
      return {
        cast,
        transposed: cast.transpose([...perm]),
        summed: cast.sum(axis),
        mean: cast.mean(axis),
        largest: cast.max(axis),
        gathered: cast.gather(tf.tensor1d([...places], 'int32'), axis),
        concatenated: tf.concat([cast, x], axis),
        integers: answer
          .toInt()
          .transpose([...perm])
          .toFloat(),
        count: cast.sum(),
      };
    },
  };
}

export function comparedBatch({ shape, values }: Comparison): AnyBatch {
  const rows = shape[0] as number;
  return {
    rows,
    columns: { x: { data: Float32Array.from(values), shape: [...shape] } },
    origins: Array.from({ length: rows }, (_, id) => ({ source: 0, id, epoch: 0, position: id })),
    program: undefined,
  };
}

/** What the program must answer. */
export function expectedOf({ by, shape, values, perm, axis, places }: Comparison): Readonly<Record<ComparisonOutput, readonly number[]>> {
  const cast = values.map((value) => Number(compared[by][1](value)));
  const at = (coordinates: readonly number[]): number => shape.reduce((index, side, i) => index * side + (coordinates[i] as number), 0);
  const side = shape[axis] as number;
  /** `of` at every place of a tensor of this shape. */
  const each = (out: readonly number[], of: (place: number[]) => number): number[] => coordinatesOf(out).map(of);
  const along = (of: (line: number[]) => number): number[] =>
    each(
      shape.filter((_, i) => i !== axis),
      (place) => of(Array.from({ length: side }, (_, k) => cast[at(place.toSpliced(axis, 0, k))] as number)),
    );
  const total = (line: readonly number[]): number => line.reduce((sum, value) => sum + value, 0);
  const transposed = each(
    perm.map((from) => shape[from] as number),
    (place) => cast[at(shape.map((_, i) => place[perm.indexOf(i)] as number))] as number,
  );
  return {
    cast,
    transposed,
    summed: along(total),
    mean: along((line) => total(line) / side),
    largest: along((line) => Math.max(...line)),
    gathered: each(shape.with(axis, places.length), (place) => cast[at(place.with(axis, places[place[axis] as number] as number))] as number),
    concatenated: each(shape.with(axis, 2 * side), (place) => {
      const k = place[axis] as number;
      return (k < side ? cast[at(place)] : values[at(place.with(axis, k - side))]) as number;
    }),
    integers: transposed,
    count: [total(cast)],
  };
}

function size(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** Every place of a tensor of this shape, row-major. */
function coordinatesOf(shape: readonly number[]): number[][] {
  return shape.reduce<number[][]>((places, side) => places.flatMap((place) => Array.from({ length: side }, (_, k) => [...place, k])), [[]]);
}
