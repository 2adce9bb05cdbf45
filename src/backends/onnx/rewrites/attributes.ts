// Reading of attributes: what is absent has the value that ONNX gives it.
import type { Node } from '../graph.js';

export function intOf(node: Node, name: string, absent = 0): number {
  const attribute = node.attributes[name];
  return attribute !== undefined && 'int' in attribute ? attribute.int : absent;
}

export function floatOf(node: Node, name: string, absent: number): number {
  const attribute = node.attributes[name];
  return attribute !== undefined && 'float' in attribute ? attribute.float : absent;
}

export function intsOf(node: Node, name: string): readonly number[] | undefined {
  const attribute = node.attributes[name];
  return attribute !== undefined && 'ints' in attribute ? attribute.ints : undefined;
}
