import * as tf from '@tensorflow/tfjs';
import type { Drawn, KernelCase } from './drawn.js';

function product(title: string, batches: (drawn: Drawn) => readonly [number[], number[]], rest: Partial<KernelCase> = {}): KernelCase {
  return {
    kernel: 'BatchMatMul',
    title: `BatchMatMul ${title}`,
    draw(drawn) {
      const [m, k, n] = [drawn.int(1, 6), drawn.int(1, 6), drawn.int(1, 6)];
      const [ta, tb] = [drawn.bool(), drawn.bool()];
      const [left, right] = batches(drawn);
      return {
        inputs: [drawn.floats([...left, ...(ta ? [k, m] : [m, k])]), drawn.floats([...right, ...(tb ? [n, k] : [k, n])])],
        apply: (a, b) => tf.matMul(a as tf.Tensor, b as tf.Tensor, ta, tb),
      };
    },
    ...rest,
  };
}

const equations = [
  'ij,jk->ik',
  'bij,bkj->bik',
  'bij,jk->bik',
  'bhid,bhjd->bhij',
  'i,j->ij',
  'ij->ji',
  'ij->i',
  'ij->',
  'ij,ij->',
  'abc,cd->dab',
  'ab,bc->a',
  'abc,bd->dca',
];

export const products: readonly KernelCase[] = [
  product('of matrices', () => [[], []]),
  product('of batches', (drawn) => {
    const batch = drawn.shape(1, 2);
    return [batch, batch];
  }),
  product('of single batches', () => [[1], [1]]),
  // tfjs has no gradient for batches that broadcast.
  product('of a batch and a matrix', (drawn) => [drawn.shape(1, 2), []], { gradient: false }),
  product(
    'of broadcast batches',
    (drawn) => {
      // Only the first axes: for others tfjs's cpu kernel takes the wrong matrices.
      const batch = drawn.shape(2, 2);
      const smaller = drawn.pick([[], batch.slice(1), [1, ...batch.slice(1)]]);
      return drawn.bool() ? [batch, smaller] : [smaller, batch];
    },
    { gradient: false },
  ),
  {
    kernel: 'BatchMatMul',
    title: 'BatchMatMul of int32',
    gradient: false,
    draw: (drawn) => {
      const [m, k, n] = [drawn.int(1, 4), drawn.int(1, 4), drawn.int(1, 4)];
      return { inputs: [drawn.ints([m, k]), drawn.ints([k, n])], apply: (a, b) => tf.matMul(a as tf.Tensor, b as tf.Tensor) };
    },
  },
  {
    kernel: 'Einsum',
    draw(drawn) {
      const equation = drawn.pick(equations);
      const sides = new Map([...'abcdhijk'].map((letter) => [letter, drawn.int(1, 4)]));
      const terms = (equation.split('->')[0] as string).split(',');
      return {
        inputs: terms.map((term) => drawn.floats([...term].map((letter) => sides.get(letter) as number))),
        apply: (...xs) => tf.einsum(equation, ...xs),
      };
    },
  },
];
