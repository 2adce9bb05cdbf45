// tf.einsum of one or two tensors as one product. Canonical form: axes that only one tensor has and the result lacks are
// summed; [batch, m, k] · [batch, k, n] as in products.ts; a Transpose into the order of the result.
import * as tf from '@tensorflow/tfjs';
import { reduce, reshape, transpose } from './forms.js';
import { product } from './products.js';
import { type Recorders, recorder } from './recorder.js';
import type { Recording, Value } from './recording.js';

/** A tensor whose axes have letters. */
interface Lettered {
  readonly value: Value;
  readonly letters: readonly string[];
}

function summed(r: Recording, { value, letters }: Lettered, kept: readonly string[]): Lettered {
  const axes = letters.flatMap((letter, axis) => (kept.includes(letter) ? [] : [axis]));
  return { value: axes.length === 0 ? value : reduce(r, 'ReduceSum', value, axes, false), letters: letters.filter((letter) => kept.includes(letter)) };
}

function ordered(r: Recording, { value, letters }: Lettered, order: readonly string[]): Value {
  return transpose(
    r,
    value,
    order.map((letter) => letters.indexOf(letter)),
  );
}

const sides = ({ value, letters }: Lettered, of: readonly string[]): number[] => of.map((letter) => value.shape[letters.indexOf(letter)] as number);
const size = (shape: readonly number[]): number => shape.reduce((a, b) => a * b, 1);

function pair(r: Recording, first: Lettered, second: Lettered, out: readonly string[]): Lettered {
  const a = summed(r, first, [...out, ...second.letters]);
  const b = summed(r, second, [...out, ...first.letters]);
  const both = a.letters.filter((letter) => b.letters.includes(letter));
  const batch = both.filter((letter) => out.includes(letter));
  const within = both.filter((letter) => !out.includes(letter));
  const rows = a.letters.filter((letter) => !both.includes(letter));
  const columns = b.letters.filter((letter) => !both.includes(letter));
  const [g, k, m, n] = [sides(a, batch), sides(a, within), sides(a, rows), sides(b, columns)];
  const left = reshape(r, ordered(r, a, [...batch, ...rows, ...within]), [size(g), size(m), size(k)]);
  const right = reshape(r, ordered(r, b, [...batch, ...within, ...columns]), [size(g), size(k), size(n)]);
  return { value: reshape(r, product(r, left, right, false, false), [...g, ...m, ...n]), letters: [...batch, ...rows, ...columns] };
}

export const einsum: Recorders = {
  Einsum: recorder<string, { equation: string }>((r, inputs, { equation }) => {
    const values = Object.values(inputs);
    const { allDims, idDims } = tf.backend_util.decodeEinsumEquation(equation, values.length);
    tf.backend_util.checkEinsumDimSizes(allDims.length, idDims, values.map(({ shape }) => ({ shape: [...shape] })) as unknown as tf.Tensor[]);
    const terms = values.map((value, i): Lettered => ({ value, letters: (idDims[i] as number[]).map((dim) => allDims[dim] as string) }));
    const out = [...(equation.replace(/\s/g, '').split('->')[1] as string)];
    const [a, b] = terms as [Lettered, Lettered | undefined];
    const result = b === undefined ? summed(r, a, out) : pair(r, a, b, out);
    return ordered(r, result, out);
  }),
};

/**
 * The gradient that tfjs lacks, on every backend: with respect to one tensor the einsum of the result's gradient with the
 * other tensor; along axes that were summed alone it is the same everywhere.
 */
export function registerEinsumGradient(): void {
  if (tf.getGradient(tf.Einsum) !== undefined) return;
  tf.registerGradient({
    kernelName: tf.Einsum,
    saveAllInputs: true,
    gradFunc: (dy, saved, attrs) => {
      const equation = (attrs as unknown as { equation: string }).equation.replace(/\s/g, '');
      const [left, out] = equation.split('->') as [string, string];
      const terms = left.split(',');
      const of = (i: number) => (): tf.Tensor => {
        const term = terms[i] as string;
        const used = new Set([...out, ...term]);
        // Axes that only the other tensor has go first: tfjs's own kernels drop a tensor where they meet them.
        const others = terms.flatMap((letters, j) => {
          if (j === i) return [];
          const shared = [...letters].filter((letter) => used.has(letter)).join('');
          const tensor = saved[j] as tf.Tensor;
          return [{ letters: shared, tensor: shared === letters ? tensor : tf.einsum(`${letters}->${shared}`, tensor) }];
        });
        const known = new Set([...out, ...others.flatMap(({ letters }) => [...letters])]);
        const direct = [...term].filter((letter) => known.has(letter)).join('');
        const equation = `${[out, ...others.map(({ letters }) => letters)].join(',')}->${direct}`;
        const gradient = tf.einsum(equation, dy as tf.Tensor, ...others.map(({ tensor }) => tensor));
        if (direct === term) return gradient;
        const { shape } = saved[i] as tf.Tensor;
        return gradient.reshape(shape.map((side, axis) => (known.has(term[axis] as string) ? side : 1))).mul(tf.ones(shape));
      };
      return Object.fromEntries(terms.map((_, i) => [i, of(i)]));
    },
  });
}
