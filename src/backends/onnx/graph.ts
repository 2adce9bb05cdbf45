// The graph of the compiled engine: plain data, close to ONNX. The tracer makes one, rewrite rules turn it into another
// that computes the same, `encodeGraph` writes it. Nothing here knows tfjs or ONNX Runtime.

/** Element types of values, called as ONNX Runtime calls them. */
export type ElementType = 'float32' | 'int32' | 'int64' | 'uint8' | 'bool';

/** Every shape is known: one graph serves one signature. */
export interface ValueType {
  readonly shape: readonly number[];
  readonly type: ElementType;
}

/** An attribute of a node; ONNX tells whole numbers from others by type, JavaScript does not. */
export type Attribute = { readonly int: number } | { readonly float: number } | { readonly ints: readonly number[] } | { readonly string: string };

/** One operation. Values are named; each has one producer: an input of the graph, a constant, or a node. */
export interface Node {
  /** ONNX operator: `MatMul`. */
  readonly op: string;
  /** Absent: the standard operators. */
  readonly domain?: 'com.microsoft';
  /** '' stands for an optional input that is left out. */
  readonly inputs: readonly string[];
  /** '' stands for an optional output that nobody reads. */
  readonly outputs: readonly string[];
  readonly attributes: Readonly<Record<string, Attribute>>;
}

/** Data of a constant; int64 ones hold shapes, axes and indices. */
export type ConstantData = Float32Array | Int32Array | BigInt64Array | Uint8Array;

/** An immutable graph. */
export interface Graph {
  /** Names of the values that come from outside, in the order of the session's feeds. */
  readonly inputs: readonly string[];
  /** What each output is called outside → the value that it is. A value may be an input or a constant, and serve several outputs. */
  readonly outputs: ReadonlyMap<string, string>;
  /** Shape and type of every value: inputs, constants, and all outputs of nodes. */
  readonly values: ReadonlyMap<string, ValueType>;
  readonly constants: ReadonlyMap<string, ConstantData>;
  /** Producers stand before their consumers. */
  readonly nodes: readonly Node[];
}

/** A rule between trace and session: another graph that computes the same outputs from the same inputs. */
export type Rewrite = (graph: Graph) => Graph;
