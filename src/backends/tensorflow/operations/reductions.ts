// Operations over whole axes.
import { intOf } from '../../onnx/rewrites/attributes.js';
import type { Lower, Lowers, Ref } from '../lowering.js';

const over =
  (op: string): Lower =>
  (l, node, [x]) =>
    l.reduce(op, x as Ref, l.numbers(node, 1), l.typeOf(node.outputs[0] as string).shape, intOf(node, 'keepdims', 1) === 1);

const squares: Lower = (l, node, [given]) => {
  const x = given as Ref;
  return l.reduce('Sum', l.same('Square', [x], x.shape), l.numbers(node, 1), l.typeOf(node.outputs[0] as string).shape, intOf(node, 'keepdims', 1) === 1);
};

/** The first of equal ones, as in ONNX. */
const argument =
  (op: string): Lower =>
  (l, node, [given]) => {
    const x = given as Ref;
    const attributes = { T: { type: x.type }, Tidx: { type: 'int32' }, output_type: { type: 'int64' } } as const;
    return l.node(op, [x, l.integer(intOf(node, 'axis'))], l.typeOf(node.outputs[0] as string), attributes);
  };

const cumulative: Lower = (l, node, [given]) => {
  const x = given as Ref;
  const attributes = { Tidx: { type: 'int32' }, exclusive: { bool: intOf(node, 'exclusive') === 1 }, reverse: { bool: intOf(node, 'reverse') === 1 } } as const;
  return l.same('Cumsum', [x, l.integer(l.numbers(node, 1)[0] as number)], x.shape, attributes);
};

/** Over the last axis: tfjs has no other. */
const softmax: Lower = (l, _, [given]) => {
  const x = given as Ref;
  return l.same('Softmax', [x], x.shape);
};

const topK: Lower = (l, node, [given]) => {
  const x = given as Ref;
  const [values, places] = node.outputs.map((name) => l.typeOf(name));
  const types = [values, { type: 'int32', shape: places?.shape }] as never;
  const k = l.integer(l.numbers(node, 1)[0] as number);
  const [found, at] = l.wide('TopKV2', [x, k], types, { T: { type: x.type }, sorted: { bool: intOf(node, 'sorted', 1) === 1 } }) as [Ref, Ref];
  return [found, l.cast(at, 'int64')];
};

export const reductions: Lowers = {
  ArgMax: argument('ArgMax'),
  ArgMin: argument('ArgMin'),
  CumSum: cumulative,
  ReduceMax: over('Max'),
  ReduceMean: over('Mean'),
  ReduceMin: over('Min'),
  ReduceProd: over('Prod'),
  ReduceSum: over('Sum'),
  ReduceSumSquare: squares,
  Softmax: softmax,
  TopK: topK,
};
