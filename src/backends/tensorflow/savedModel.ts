// Writes a TensorFlow graph as a SavedModel (the protobuf messages of saved_model.proto, graph.proto and what they hold): one
// graph, without variables and without a signature, for the names of its inputs and outputs are known to whoever made it.
import { PbfWriter } from 'pbf';
import type { ConstantData, ElementType } from '../onnx/graph.js';

/** The tag under which the graph stands in its SavedModel. */
export const TAG = 'serve';
/** What the graph asks of TensorFlow: the graphs of 2.9 and later, which reads those of setup's oldest, 2.12. */
const PRODUCER = 1087;
/** Numbers of TensorFlow's DataType. */
const dataTypes: Readonly<Record<ElementType, number>> = { float32: 1, int32: 3, uint8: 4, int64: 9, bool: 10 };

/** An attribute of a node. */
export type TfAttribute =
  | { readonly type: ElementType }
  | { readonly bool: boolean }
  | { readonly int: number }
  | { readonly float: number }
  | { readonly shape: readonly number[] }
  | { readonly tensor: { readonly type: ElementType; readonly shape: readonly number[]; readonly data: ConstantData } };

/** One operation; an input is called `node:output`. */
export interface TfNode {
  readonly name: string;
  readonly op: string;
  readonly inputs: readonly string[];
  readonly attributes: Readonly<Record<string, TfAttribute>>;
}

/** The bytes of `saved_model.pb`. */
export function encodeSavedModel(nodes: readonly TfNode[]): Uint8Array {
  const writer = new PbfWriter();
  writer.writeVarintField(1, 1);
  writer.writeMessage(2, writeMetaGraph, nodes);
  return writer.finish();
}

function writeMetaGraph(nodes: readonly TfNode[], writer: PbfWriter): void {
  writer.writeMessage(1, (tag: string, info) => info.writeStringField(4, tag), TAG);
  writer.writeMessage(2, writeGraph, nodes);
}

function writeGraph(nodes: readonly TfNode[], writer: PbfWriter): void {
  for (const node of nodes) writer.writeMessage(1, writeNode, node);
  writer.writeMessage(4, (producer: number, versions) => versions.writeVarintField(1, producer), PRODUCER);
}

function writeNode({ name, op, inputs, attributes }: TfNode, writer: PbfWriter): void {
  writer.writeStringField(1, name);
  writer.writeStringField(2, op);
  for (const input of inputs) writer.writeStringField(3, input);
  for (const [key, attribute] of Object.entries(attributes)) writer.writeMessage(5, writeEntry, { key, attribute });
}

function writeEntry({ key, attribute }: { key: string; attribute: TfAttribute }, writer: PbfWriter): void {
  writer.writeStringField(1, key);
  writer.writeMessage(2, writeAttribute, attribute);
}

/** Zeros and false are written too: they say which kind of attribute it is. */
function writeAttribute(attribute: TfAttribute, writer: PbfWriter): void {
  if ('int' in attribute) writer.writeVarintField(3, attribute.int);
  else if ('float' in attribute) writer.writeFloatField(4, attribute.float);
  else if ('bool' in attribute) writer.writeBooleanField(5, attribute.bool);
  else if ('type' in attribute) writer.writeVarintField(6, dataTypes[attribute.type]);
  else if ('shape' in attribute) writer.writeMessage(7, writeShape, attribute.shape);
  else writer.writeMessage(8, writeTensor, attribute.tensor);
}

function writeTensor({ type, shape, data }: { type: ElementType; shape: readonly number[]; data: ConstantData }, writer: PbfWriter): void {
  writer.writeVarintField(1, dataTypes[type]);
  writer.writeMessage(2, writeShape, shape);
  writer.writeBytesField(4, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}

function writeShape(shape: readonly number[], writer: PbfWriter): void {
  for (const side of shape) writer.writeMessage(2, (size: number, dimension) => dimension.writeVarintField(1, size), side);
}
