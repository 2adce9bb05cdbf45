import * as tf from '@tensorflow/tfjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { differentiate } from '../../../src/backends/differentiate.js';
import { loadCpu } from '../../../src/backends/cpu.js';
import { loadWasm } from '../../../src/backends/wasm.js';
import { located } from '../../../src/backends/located.js';
import type { Graph } from '../../../src/backends/onnx/graph.js';
import { trace } from '../../../src/backends/onnx/trace.js';
import { Untraceable, isUntraceable, tracer } from '../../../src/backends/onnx/tracer.js';
import { useBackend } from '../../../src/backends/useBackend.js';
import { MaskflowError } from '../../../src/core/errors.js';
import type { Tensor } from '../../../src/core/program.js';
import { recipe } from '../../../src/core/recipe.js';
import { stopGradient } from '../../../src/models/layers/stopGradient.js';
import { present, runGraph } from './runGraph.js';

const x23 = { x: { shape: [2, 3], dtype: 'float32' as const } };
const ops = ({ nodes }: Graph): string[] => nodes.map(({ op }) => op);
const memory = (): number[] => {
  const { numTensors, numDataBuffers, numBytes } = tf.memory();
  return [numTensors, numDataBuffers, numBytes];
};
const failing = (work: () => unknown): MaskflowError => {
  try {
    work();
  } catch (error) {
    if (error instanceof MaskflowError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
};

let before: number[] = [];
beforeEach(async () => {
  await loadCpu();
  before = memory();
});

/** Nothing is left of a trace, and the former backend is current. */
function clean(backend = 'cpu'): void {
  expect(tf.getBackend()).toBe(backend);
  expect(memory()).toEqual(before);
  expect(tracer().numDataIds()).toBe(0);
}

describe('the graph', () => {
  it('has all inputs in their order, the outputs by name, and only what reaches one', () => {
    const graph = trace({ unused: { shape: [], dtype: 'int32' }, ...x23 }, ({ x }) => {
      (x as Tensor).exp();
      return { sum: (x as Tensor).square().sum(), same: x as Tensor };
    });
    expect(graph.inputs).toEqual(['unused', 'x']);
    expect([...graph.outputs]).toEqual([
      ['sum', 'sum'],
      ['same', 'x'],
    ]);
    expect(ops(graph)).toEqual(['Mul', 'ReduceSum']);
    expect([...graph.values.keys()].sort()).toEqual(['Square_2', 'constant_0', 'sum', 'unused', 'x'].sort());
    expect([...graph.constants]).toEqual([['constant_0', BigInt64Array.of(0n, 1n)]]);
    clean();
  });

  it('gives a value the name of one of its outputs, and no value the name of another', () => {
    const graph = trace({ Square_1: { shape: [2], dtype: 'float32' } }, ({ Square_1: x }) => {
      const square = (x as Tensor).square();
      return { first: square, second: square.clone(), Exp_2: square.neg(), out: square.exp().sqrt() };
    });
    expect(graph.outputs.get('first')).toBe('first');
    expect(graph.outputs.get('second')).toBe('first');
    const made = graph.nodes.flatMap(({ outputs }) => outputs);
    expect(new Set(made).size).toBe(made.length);
    expect(made).not.toContain('Square_1');
  });

  it('records the same node once', () => {
    const graph = trace(x23, ({ x }) => ({ y: (x as Tensor).exp().add((x as Tensor).exp()) }));
    expect(ops(graph)).toEqual(['Exp', 'Add']);
  });

  it('takes uint8 as int32', () => {
    const graph = trace({ mask: { shape: [4], dtype: 'uint8' } }, ({ mask }) => {
      expect(mask?.dtype).toBe('int32');
      return { y: (mask as Tensor).toFloat() };
    });
    expect(graph.values.get('mask')).toEqual({ shape: [4], type: 'uint8' });
    expect(graph.nodes.map(({ op, attributes }) => [op, attributes.to])).toEqual([
      ['Cast', { int: 6 }],
      ['Cast', { int: 1 }],
    ]);
  });

  it('computes what depends on constants only, and shares them', () => {
    const graph = trace(x23, ({ x }) => ({
      y: (x as Tensor)
        .add(
          tf
            .range(0, 3)
            .mul(2)
            .add(tf.tensor1d([1, 1, 1])),
        )
        .add(tf.tensor1d([1, 3, 5])),
    }));
    expect(ops(graph)).toEqual(['Add', 'Add']);
    expect([...graph.constants.values()]).toEqual([Float32Array.of(1, 3, 5)]);
  });

  it('holds no large constant of equal elements: they are a scalar that broadcasts', () => {
    const graph = trace({ x: { shape: [64, 1], dtype: 'float32' } }, ({ x }) => ({
      y: (x as Tensor)
        .mul(tf.ones([64, 100]))
        .div(100)
        .add(tf.zeros([64, 100]))
        .sub(tf.fill([64, 100], 3)),
    }));
    expect(ops(graph)).toEqual(['Div', 'Sub', 'Expand']);
    expect(Math.max(...[...graph.constants.values()].map(({ length }) => length))).toBe(2);
  });

  it('has the canonical forms', () => {
    const graph = trace({ x: { shape: [2, 1, 4], dtype: 'float32' }, w: { shape: [3, 4], dtype: 'float32' } }, ({ x, w }) => ({
      chain: (x as Tensor).reshape([4, 2]).reshape([8]).reshape([2, 1, 4]).transpose([1, 0, 2]).transpose([0, 2, 1]),
      product: tf.matMul((x as Tensor).reshape([1, 2, 4]), (w as Tensor).expandDims(0), false, true),
      mean: (x as Tensor).mean([1, 2], true),
    }));
    expect(ops(graph)).toEqual(['Reshape', 'Transpose', 'Reshape', 'Gemm', 'Reshape', 'ReduceMean']);
    expect(graph.nodes.find(({ op }) => op === 'Gemm')?.attributes).toEqual({ transA: { int: 0 }, transB: { int: 1 } });
  });
});

describe('tensors of others', () => {
  it('become constants, and stay where they are', async () => {
    await loadWasm();
    useBackend('wasm');
    const foreign = tf.tensor1d([1, 2, 3]);
    const start = memory();
    const graph = trace(x23, ({ x }) => ({ y: (x as Tensor).mul(foreign).add(foreign.clone()) }));
    expect(tf.getBackend()).toBe('wasm');
    expect(memory()).toEqual(start);
    expect([...graph.constants.values()]).toEqual([Float32Array.of(1, 2, 3)]);
    expect([...foreign.dataSync()]).toEqual([1, 2, 3]);
    foreign.dispose();
    useBackend('cpu');
  });

  it('are copied, so that who made them may change them', () => {
    const values = Float32Array.of(1, 2, 3);
    const graph = trace(x23, ({ x }) => ({ y: (x as Tensor).mul(tf.tensor1d(values)) }));
    values.fill(0);
    expect([...graph.constants.values()]).toEqual([Float32Array.of(1, 2, 3)]);
  });

  it('are read inside a trace as anywhere', () => {
    const graph = trace(x23, ({ x }) => ({ y: (x as Tensor).mul(tf.range(0, 3).dataSync()[2] as number).add(tf.ones([5000]).dataSync()[4999] as number) }));
    expect(ops(graph)).toEqual(['Mul', 'Add']);
  });
});

describe('gradients', () => {
  it('are traced by tf.grads, custom gradients and differentiate, also inside one another', () => {
    const penalty = (x: Tensor): Tensor =>
      tf
        .grad((y) => (y as Tensor).square().sum())(x)
        .square()
        .sum();
    const graph = trace(x23, ({ x }) => {
      const values = { x: x as Tensor, other: tf.zeros([2]) };
      const loss = () => ({ sum: penalty(values.x).add(stopGradient(values.x).mul(values.x).sum()) as Tensor, count: tf.scalar(6) });
      const { found, total } = differentiate(loss, ['x', 'other'], values);
      return { dx: found.x as Tensor, zeros: found.other as Tensor, total };
    });
    expect([...graph.outputs.keys()]).toEqual(['dx', 'zeros', 'total']);
    clean();
  });

  it('of einsum are those of the operations that it stands for', () => {
    const [a, b] = [tf.tensor2d([1, -2, 3, 0.5, 2, -1], [2, 3]), tf.tensor2d([2, 1, 0, -1, 1, 4], [3, 2])];
    const same = (mine: (x: Tensor, y: Tensor) => Tensor, other: (x: Tensor, y: Tensor) => Tensor): void => {
      const gradients = [mine, other].map((f) =>
        tf
          .grads((x, y) =>
            f(x as Tensor, y as Tensor)
              .square()
              .sum(),
          )([a, b])
          .map((g) => g.arraySync()),
      );
      expect(gradients[0]).toEqual(gradients[1]);
    };
    tracer();
    same(
      (x, y) => tf.einsum('ij,jk->ki', x, y),
      (x, y) => tf.matMul(x, y).transpose(),
    );
    same(
      (x, y) => tf.einsum('ij,jk->i', x, y),
      (x, y) => tf.matMul(x, y).sum(1),
    );
    same(
      (x, y) => tf.einsum('ij->j', x).mul(tf.einsum('kl->k', y)),
      (x, y) => x.sum(0).mul(y.sum(1)),
    );
    tf.dispose([a, b]);
  });

  it('leave nothing behind where the work throws in the middle', () => {
    const work = () =>
      trace(x23, ({ x }) => {
        tf.keep((x as Tensor).exp());
        const { value } = tf.valueAndGrad((y) => {
          const z = (y as Tensor).exp().sin();
          if (z.rank === 2) throw new Error('in the middle');
          return z.sum();
        })(x as Tensor);
        return { value };
      });
    expect(work).toThrow('in the middle');
    clean();
    expect(work).toThrow('in the middle');
    expect(ops(trace(x23, ({ x }) => ({ y: (x as Tensor).exp() })))).toEqual(['Exp']);
  });
});

describe('what cannot be traced', () => {
  it('is a value that is read, at once and where nobody waits for it', () => {
    const rule = 'a step that is compiled cannot read values back while it is described, and';
    const error = failing(() => trace(x23, ({ x }) => ({ y: tf.softmax(x as Tensor).mul((x as Tensor).exp().dataSync()[0] as number) })));
    expect(error.message).toBe(`${rule} a result of Exp was read. Choose an eager engine, --backend wasm, or allow the compiled one to fall back to it.`);
    expect(error.problem.cause).toBeInstanceOf(Untraceable);
    expect((error.problem.cause as Untraceable).kernel).toBe('Exp');
    expect(failing(() => trace(x23, ({ x }) => ({ y: (x as Tensor).mul((x as Tensor).arraySync() as number[][]) }))).message).toContain(
      `${rule} the input x was read`,
    );
    const late = failing(() =>
      trace(x23, ({ x }) => {
        void (x as Tensor).max().data();
        return { y: x as Tensor };
      }),
    );
    expect(late.message).toContain(`${rule} a result of Max was read`);
    // Who catches the error still has a step that depends on the value.
    const caught = failing(() =>
      trace(x23, ({ x }) => {
        try {
          (x as Tensor).min().dataSync();
        } catch {}
        return { y: x as Tensor };
      }),
    );
    expect(caught.message).toContain('a result of Min was read');
    clean();
  });

  it('is a kernel that has no recorder, and says in which stage', () => {
    const image = { image: { shape: [1, 8, 8, 1], dtype: 'float32' as const } };
    const work = () => trace(image, ({ image: given }) => ({ y: tf.conv2d(given as tf.Tensor4D, tf.ones([3, 3, 1, 2]), 1, 'same') }));
    const error = failing(work);
    expect(error.message).toBe(
      'the compiled engine has no kernel Conv2D. Choose an eager engine, --backend wasm, or allow the compiled one to fall back to it.',
    );
    expect(isUntraceable(error)).toBe(true);
    const inner = failing(() =>
      trace(image, ({ image: given }) => located(recipe('tests', 'cnn'), () => ({ y: tf.maxPool(given as tf.Tensor4D, 2, 2, 'valid') }))),
    );
    expect(inner.message).toContain('cnn: the compiled engine has no kernel MaxPool (in tests cnn).');
    expect(isUntraceable(failing(() => located(recipe('tests', 'outer'), work)))).toBe(true);
    clean();
  });

  it('is text, complex numbers, an output that is no tensor or is called like an input, and a trace in a trace', () => {
    expect(() => trace(x23, () => ({ y: tf.tensor(['a']) }))).toThrow('the compiled engine has no tensors of type string');
    expect(() => trace(x23, ({ x }) => ({ y: tf.complex(x as Tensor, x as Tensor) }))).toThrow('no kernel Complex');
    expect(() => trace(x23, () => ({ y: 3 as unknown as Tensor }))).toThrow('trace.y: must be a tensor; got 3.');
    expect(() => trace(x23, ({ x }) => ({ x: (x as Tensor).exp() }))).toThrow('trace.x: an output must not bear the name of an input.');
    expect(() => trace(x23, ({ x }) => ({ y: x as Tensor, inner: trace(x23, ({ x: z }) => ({ y: z as Tensor })) as never }))).toThrow(
      'a trace inside another one',
    );
    clean();
  });
});

describe.runIf(present())('run by ONNX Runtime', () => {
  it('outputs may be inputs, constants and the same value twice', async () => {
    const graph = trace(x23, ({ x }) => ({ given: x as Tensor, one: tf.ones([2]), sum: (x as Tensor).sum(), again: (x as Tensor).sum() }));
    const { given, one, sum, again } = await runGraph(graph, { x: Float32Array.of(1, 2, 3, 4, 5, 6) });
    expect([given?.data, one?.data, sum?.data, again?.data]).toEqual([
      Float32Array.of(1, 2, 3, 4, 5, 6),
      Float32Array.of(1, 1),
      Float32Array.of(21),
      Float32Array.of(21),
    ]);
  });

  it('variables of tfjs and its own Adam are traced', async () => {
    const graph = trace({ w: { shape: [2], dtype: 'float32' } }, ({ w }) => {
      const variable = tf.variable(w as Tensor);
      const cost = tf.train.adam(0.1).minimize(() => variable.square().sum() as tf.Scalar, true, [variable]) as Tensor;
      return { cost, next: variable.clone() };
    });
    const { cost, next } = await runGraph(graph, { w: Float32Array.of(1, -2) });
    expect(cost?.data[0]).toBeCloseTo(5);
    expect(Array.from(next?.data as Float32Array, (value) => value.toFixed(3))).toEqual(['0.900', '-1.900']);
    tf.disposeVariables();
  });
});
