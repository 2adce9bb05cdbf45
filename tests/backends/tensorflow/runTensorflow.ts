// Runs a graph of the compiled engine as it is, lowered, in TensorFlow; through the addon itself, which takes uint8 too.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as tf from '@tensorflow/tfjs';
import type { ElementType, Graph } from '../../../src/backends/onnx/graph.js';
import { lower } from '../../../src/backends/tensorflow/lower.js';
import { TAG, encodeSavedModel } from '../../../src/backends/tensorflow/savedModel.js';
import type { Output } from '../onnx/runGraph.js';

type Data = Float32Array | Int32Array | BigInt64Array | Uint8Array;

interface Binding {
  readonly TF_FLOAT: number;
  readonly TF_INT32: number;
  readonly TF_UINT8: number;
  readonly TF_BOOL: number;
  createTensor(shape: readonly number[], type: number, data: Data): number;
  deleteTensor(id: number): void;
  tensorDataSync(id: number): Data;
  loadSavedModel(folder: string, tags: string): number;
  runSavedModel(id: number, tensors: readonly number[], fed: string, fetched: string): { id: number; shape: number[]; dtype: number }[];
  deleteSavedModel(id: number): void;
  getNumOfSavedModels(): number;
  getNumOfTensors(): number;
}

/** The addon of a loaded tfjs-node. */
export const addon = (): Binding => (tf.findBackend('tensorflow') as unknown as { binding: Binding }).binding;

/** Outputs by name for feeds by name (data in the array of the input's type). */
export async function runTensorflow(graph: Graph, feeds: Readonly<Record<string, Data>>): Promise<Record<string, Output>> {
  const binding = addon();
  const { nodes, inputs, outputs } = lower(graph);
  const types: Readonly<Record<string, number>> = { float32: binding.TF_FLOAT, int32: binding.TF_INT32, uint8: binding.TF_UINT8, bool: binding.TF_BOOL };
  const nameOf = (dtype: number): ElementType => Object.keys(types).find((name) => types[name] === dtype) as ElementType;
  const folder = mkdtempSync(join(tmpdir(), 'maskflow-test-graph-'));
  writeFileSync(join(folder, 'saved_model.pb'), encodeSavedModel(nodes));
  const session = binding.loadSavedModel(folder, TAG);
  rmSync(folder, { recursive: true });
  const fed = [...inputs.keys()].map((name) => {
    const { shape, type } = graph.values.get(name)!;
    return binding.createTensor(shape, types[type] as number, feeds[name] as Data);
  });
  try {
    const found = binding.runSavedModel(session, fed, [...inputs.values()].join(), [...outputs.values()].join());
    return Object.fromEntries(
      [...outputs.keys()].map((name, i) => {
        const { id, shape, dtype } = found[i]!;
        const data = binding.tensorDataSync(id);
        binding.deleteTensor(id);
        return [name, { data, shape, type: nameOf(dtype) }];
      }),
    );
  } finally {
    for (const id of fed) binding.deleteTensor(id);
    binding.deleteSavedModel(session);
  }
}
