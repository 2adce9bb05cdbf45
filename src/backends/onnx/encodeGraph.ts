// Writes a graph as an ONNX model (the protobuf messages of onnx.proto, IR version 9). Every tool that reads ONNX opens
// it: Netron, the Python packages onnx and onnxruntime.
import { PbfWriter } from 'pbf';
import type { Attribute, ConstantData, ElementType, Graph, Node, ValueType } from './graph.js';

/** Standard operators as of this version; ONNX Runtime's own (FusedMatMul) stand in a domain of theirs. */
const OPSET = 20;
const IR_VERSION = 9;
const elementTypes: Readonly<Record<ElementType, number>> = { float32: 1, uint8: 2, int32: 6, int64: 7, bool: 9 };

export interface EncodeOptions {
  /** Whether inputs and outputs have the shapes of the graph, or any; default true. */
  readonly shapes?: boolean;
  /** Whether an empty sequence called `sealed` is the first output (seal.ts); default false. */
  readonly sealed?: boolean;
}

/** Name of that output. */
export const SEAL = 'sealed';

/** The bytes of the ONNX model. An output that is an input, a constant, or the second of its value passes through Identity. */
export function encodeGraph(graph: Graph, { shapes = true, sealed = false }: EncodeOptions = {}): Uint8Array {
  const writer = new PbfWriter();
  writer.writeVarintField(1, IR_VERSION);
  writer.writeStringField(2, 'maskflow');
  writer.writeMessage(7, writeGraph, { graph, shapes, sealed });
  for (const [domain, version] of [
    ['', OPSET],
    ['com.microsoft', 1],
  ] as const) {
    writer.writeMessage(8, writeOpset, { domain, version });
  }
  return writer.finish();
}

function writeOpset({ domain, version }: { domain: string; version: number }, writer: PbfWriter): void {
  writer.writeStringField(1, domain);
  writer.writeVarintField(2, version);
}

/** A type whose shape is open where it is absent. */
type Declared = Omit<ValueType, 'shape'> & { readonly shape?: readonly number[] };

function writeGraph({ graph, shapes, sealed }: { graph: Graph } & Required<EncodeOptions>, writer: PbfWriter): void {
  const { inputs, outputs, values, constants, nodes } = graph;
  const typeOf = (name: string): ValueType => {
    const type = values.get(name);
    if (type === undefined) throw new Error(`no type for value ${name}`);
    return type;
  };
  const declared = (name: string): Declared => (shapes ? typeOf(name) : { type: typeOf(name).type });
  // An output has its own name, and a value that a node makes can bear one; all others are copied.
  for (const node of nodes) writer.writeMessage(1, writeNode, node);
  for (const [name, value] of outputs)
    if (name !== value) writer.writeMessage(1, writeNode, { op: 'Identity', inputs: [value], outputs: [name], attributes: {} });
  if (sealed) writer.writeMessage(1, writeNode, { op: 'SequenceEmpty', inputs: [], outputs: [SEAL], attributes: {} });
  writer.writeStringField(2, 'maskflow');
  for (const [name, data] of constants) writer.writeMessage(5, writeConstant, { name, data, ...typeOf(name) });
  for (const name of inputs) writer.writeMessage(11, writeValue, { name, ...declared(name) });
  if (sealed) writer.writeMessage(12, writeSequence, SEAL);
  for (const [name, value] of outputs) writer.writeMessage(12, writeValue, { name, ...declared(value) });
}

function writeNode({ op, domain = '', inputs, outputs, attributes }: Omit<Node, 'domain'> & { domain?: string }, writer: PbfWriter): void {
  for (const name of inputs) writer.writeStringField(1, name);
  for (const name of outputs) writer.writeStringField(2, name);
  writer.writeStringField(4, op);
  for (const [name, attribute] of Object.entries(attributes)) writer.writeMessage(5, writeAttribute, { name, attribute });
  if (domain !== '') writer.writeStringField(7, domain);
}

function writeAttribute({ name, attribute }: { name: string; attribute: Attribute }, writer: PbfWriter): void {
  writer.writeStringField(1, name);
  if ('float' in attribute) writer.writeFloatField(2, attribute.float);
  else if ('int' in attribute) writer.writeVarintField(3, attribute.int);
  else if ('string' in attribute) writer.writeBytesField(4, new TextEncoder().encode(attribute.string));
  else writer.writePackedVarint(8, [...attribute.ints]);
  writer.writeVarintField(20, 'float' in attribute ? 1 : 'int' in attribute ? 2 : 'string' in attribute ? 3 : 7);
}

function writeConstant({ name, data, shape, type }: { name: string; data: ConstantData } & ValueType, writer: PbfWriter): void {
  if (shape.length > 0) writer.writePackedVarint(1, [...shape]);
  writer.writeVarintField(2, elementTypes[type]);
  writer.writeStringField(8, name);
  writer.writeBytesField(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writeValue({ name, ...type }: { name: string } & Declared, writer: PbfWriter): void {
  writer.writeStringField(1, name);
  writer.writeMessage(2, writeType, type);
}

/** A sequence of float32 tensors. */
function writeSequence(name: string, writer: PbfWriter): void {
  writer.writeStringField(1, name);
  writer.writeMessage(2, writeSequenceType, { type: 'float32' });
}

function writeSequenceType(element: Declared, writer: PbfWriter): void {
  writer.writeMessage(4, writeElementType, element);
}

function writeElementType(element: Declared, writer: PbfWriter): void {
  writer.writeMessage(1, writeType, element);
}

function writeType(value: Declared, writer: PbfWriter): void {
  writer.writeMessage(1, writeTensorType, value);
}

function writeTensorType({ shape, type }: Declared, writer: PbfWriter): void {
  writer.writeVarintField(1, elementTypes[type]);
  if (shape !== undefined) writer.writeMessage(2, writeShape, shape);
}

function writeShape(shape: readonly number[], writer: PbfWriter): void {
  for (const side of shape) writer.writeMessage(1, writeDimension, side);
}

function writeDimension(side: number, writer: PbfWriter): void {
  writer.writeVarintField(1, side);
}
