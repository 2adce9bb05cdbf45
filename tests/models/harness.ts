// A bare executor for tests of models and losses: weights from keys, columns as tensors, forward and gradients on the backend
// that tfjs has current. Values are read asynchronously: a GPU's are read in no other way.
import * as tf from '@tensorflow/tfjs';
import { type AnyBatch, type Column, isColumn } from '../../src/core/batch.js';
import { fold, rootKey } from '../../src/core/key.js';
import { type Loss, type LossTerm, type Parameters, type Program, type Signature, type Tensor, signatureOf } from '../../src/core/program.js';

export type Values = Readonly<Record<string, Float32Array>>;
type Columns = Readonly<Record<string, Column>>;

export function batchOf(columns: Columns, grid: readonly number[] = [(columns.tokens as Column).shape[1] as number]): AnyBatch {
  const rows = (columns.tokens as Column).shape[0] as number;
  return { rows, columns, origins: Array.from({ length: rows }, (_, id) => ({ source: 0, id, epoch: 0, position: id })), grid, program: undefined };
}

/** The batch with what the `model` stage adds. */
export function prepared(program: Program, batch: AnyBatch): AnyBatch {
  return { ...batch, columns: { ...batch.columns, ...program.prepare?.(batch) } };
}

export function firstValues(parameters: Parameters, seed = 0): Values {
  return Object.fromEntries(Object.entries(parameters).map(([name, { shape, init }]) => [name, init.values(fold(rootKey(seed), name), shape)]));
}

function tensorOf({ data, shape }: Column): Tensor {
  return data instanceof Float32Array ? tf.tensor(data, [...shape], 'float32') : tf.tensor(Int32Array.from(data), [...shape], 'int32');
}

function tensorsOf(batch: AnyBatch, names: readonly string[]): Record<string, Tensor> {
  return Object.fromEntries(
    names.map((name) => {
      const column = batch.columns[name];
      if (!isColumn(column)) throw new Error(`no column ${name}`);
      return [name, tensorOf(column)];
    }),
  );
}

function weightsOf(program: Program, signature: Signature, values: Values): Record<string, Tensor> {
  return Object.fromEntries(
    Object.entries(program.parameters(signature)).map(([name, { shape }]) => [name, tf.tensor(values[name] as Float32Array, [...shape])]),
  );
}

/** One output of a program on a prepared batch. */
export async function forward<O extends string>(program: Program<O>, batch: AnyBatch, output: O, values: Values): Promise<Float32Array> {
  const signature = signatureOf(batch);
  return read(
    tf.tidy(() => program.build(weightsOf(program, signature, values), tensorsOf(batch, program.inputs(signature)), {}, signature)[output] as Tensor),
  );
}

/** The values of a tensor, which is freed. */
async function read(tensor: Tensor): Promise<Float32Array> {
  const values = (await tensor.data<'float32'>()).slice();
  tensor.dispose();
  return values;
}

/** Sum, count and the gradients of the sum with respect to every trainable parameter. */
export async function lossAndGradients<N extends string>(
  program: Program<N>,
  term: LossTerm<N>,
  batch: AnyBatch,
  values: Values,
): Promise<{ sum: number; count: number; gradients: Values }> {
  const signature = signatureOf(batch);
  const names = Object.entries(program.parameters(signature))
    .filter(([, { trainable }]) => trainable !== false)
    .map(([name]) => name);
  let count: Tensor | undefined;
  const { value, grads } = tf.tidy(() => {
    const weights = weightsOf(program, signature, values);
    const columns = tensorsOf(batch, [...new Set([...program.inputs(signature), ...term.inputs(signature)])]);
    const differentiated = tf.valueAndGrads((...tensors: Tensor[]) => {
      const all = { ...weights, ...Object.fromEntries(names.map((name, i) => [name, tensors[i] as Tensor])) };
      const loss: Loss = term.build(program.build(all, columns, {}, signature) as Readonly<Record<N, Tensor>>, columns, signature);
      count = tf.keep(loss.count.clone());
      return loss.sum as tf.Scalar;
    });
    return differentiated(names.map((name) => weights[name] as Tensor));
  });
  const gradients: Record<string, Float32Array> = {};
  for (const [i, name] of names.entries()) gradients[name] = await read(grads[i] as Tensor);
  return { sum: (await read(value))[0] as number, count: (await read(count as unknown as Tensor))[0] as number, gradients };
}

/** Values by a formula that any language can repeat: parameter j in order of names, element i. */
export function formulaValues(parameters: Parameters): Values {
  const tables = /position_embeddings$|decoder_pos_embed$/;
  const names = Object.keys(parameters).sort();
  return Object.fromEntries(
    names.map((name, j) => {
      const { shape, init } = parameters[name] as Parameters[string];
      if (tables.test(name)) return [name, init.values(rootKey(0), shape)];
      const size = shape.reduce((product, side) => product * side, 1);
      return [name, Float32Array.from({ length: size }, (_, i) => 0.3 * Math.sin(1 + 0.37 * i + 1.3 * j) + (/(layernorm.*|norm)\.weight$/.test(name) ? 1 : 0))];
    }),
  );
}

/** tokens[r, l, k] = sin(0.3 k + 1.7 l + 2.9 r) + 0.1 cos(k). */
export function formulaTokens(rows: number, tokens: number, numbers: number): Column<Float32Array> {
  const data = Float32Array.from({ length: rows * tokens * numbers }, (_, i) => {
    const k = i % numbers;
    const l = Math.floor(i / numbers) % tokens;
    const r = Math.floor(i / (numbers * tokens));
    return Math.sin(0.3 * k + 1.7 * l + 2.9 * r) + 0.1 * Math.cos(k);
  });
  return { data, shape: [rows, tokens, numbers] };
}

export function maskColumn(bits: readonly (readonly number[])[], grid: readonly number[]): Column<Uint8Array> {
  return { data: Uint8Array.from(bits.flat()), shape: [bits.length, ...grid] };
}

export function lengthColumn(lengths: readonly number[]): Column<Int32Array> {
  return { data: Int32Array.from(lengths), shape: [lengths.length] };
}

export function largestDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  if (a.length !== b.length) throw new Error(`lengths ${a.length} and ${b.length}`);
  let most = 0;
  for (let i = 0; i < a.length; i++) most = Math.max(most, Math.abs((a[i] as number) - (b[i] as number)));
  return most;
}
