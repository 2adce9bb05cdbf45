// Kernels without a tensor to compute on: constants of the graph, a scalar and its Expand where all elements are equal.
import * as tf from '@tensorflow/tfjs';
import { expand } from './forms.js';
import { onCpu } from './onCpu.js';
import { type Recorders, recorder } from './recorder.js';
import type { Value } from './recording.js';

type Type = 'float32' | 'int32' | 'bool';

export const constants: Recorders = {
  Fill: recorder<never, { shape: number[]; value: number; dtype?: Type }>((r, _, { shape, value, dtype }) =>
    expand(r, r.scalar(value, dtype ?? (tf.util.inferDtype(value) as Type)), shape),
  ),
  LinSpace: recorder<never>((r, _, attrs) => onCpu(r, 'LinSpace', {}, attrs) as Value),
  OnesLike: recorder<'x'>((r, { x }) => expand(r, r.scalar(1, x.type), x.shape)),
  Range: recorder<never>((r, _, attrs) => onCpu(r, 'Range', {}, attrs) as Value),
  ZerosLike: recorder<'x'>((r, { x }) => expand(r, r.scalar(0, x.type), x.shape)),
};
