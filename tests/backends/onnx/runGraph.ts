// Runs a graph of the compiled engine as it is, with onnxruntime-node and none of its own rewriting.
import { encodeGraph } from '../../../src/backends/onnx/encodeGraph.js';
import type { ElementType, Graph } from '../../../src/backends/onnx/graph.js';

type Runtime = typeof import('onnxruntime-node');
type Data = Float32Array | Int32Array | BigInt64Array | Uint8Array;

export interface Fed {
  readonly data: Data;
  readonly shape: readonly number[];
}
export interface Output extends Fed {
  readonly type: ElementType;
}

let runtime: Runtime | undefined;
let reason = '';
try {
  runtime = await import('onnxruntime-node');
  // Level 4: what a test expects to fail is not printed.
  runtime.env.logLevel = 'fatal';
} catch (error) {
  reason = error instanceof Error ? error.message : String(error);
}

/** Whether onnxruntime-node is here; where it is not, says so once per test file. */
export function present(): boolean {
  if (runtime === undefined) console.log(`skipped: onnxruntime-node cannot be loaded (${reason})`);
  return runtime !== undefined;
}

/** Outputs by name for feeds by name (data in the array of the input's type). */
export async function runGraph(graph: Graph, feeds: Readonly<Record<string, Data>>, threads = 1): Promise<Record<string, Output>> {
  const { InferenceSession, Tensor } = runtime as Runtime;
  const session = await InferenceSession.create(encodeGraph(graph), { graphOptimizationLevel: 'disabled', intraOpNumThreads: threads, logSeverityLevel: 4 });
  try {
    const tensors = graph.inputs.map((name) => {
      const { shape, type } = graph.values.get(name)!;
      return [name, new Tensor(type, feeds[name] as never, shape as number[])] as const;
    });
    const results = await session.run(Object.fromEntries(tensors));
    return Object.fromEntries(
      Object.entries(results).map(([name, { data, dims, type }]) => [name, { data: data as Data, shape: dims, type: type as ElementType }]),
    );
  } finally {
    await session.release();
  }
}
