// Operations that move elements, and those that read or write by index. Shapes are those of our graph: all are known.
import { intOf, intsOf } from '../../onnx/rewrites/attributes.js';
import type { Lower, Lowering, Lowers, Ref } from '../lowering.js';

const shapeOf = (l: Lowering, outputs: readonly string[]): readonly number[] => l.typeOf(outputs[0] as string).shape;

const slice: Lower = (l, node, [given]) => {
  const x = given as Ref;
  const shape = shapeOf(l, node.outputs);
  const begin = x.shape.map(() => 0);
  const step = x.shape.map(() => 1);
  const [starts, axes] = [l.numbers(node, 1), node.inputs[3] ? l.numbers(node, 3) : begin.map((_, axis) => axis)];
  const steps = node.inputs[4] ? l.numbers(node, 4) : [];
  axes.forEach((axis, i) => {
    const side = x.shape[axis] as number;
    const start = starts[i] as number;
    begin[axis] = start < 0 ? start + side : Math.min(start, side);
    step[axis] = steps[i] ?? 1;
  });
  if (step.every((by) => by === 1)) {
    return l.same('Slice', [x, l.integers(begin), l.integers(shape)], shape, { Index: { type: 'int32' } });
  }
  // An end before element 0 cannot be written as a number: its bit of the mask says "as far as it goes".
  const ends = begin.map((start, axis) => start + (shape[axis] as number) * (step[axis] as number));
  const mask = ends.reduce((bits, end, axis) => (end < 0 ? bits | (1 << axis) : bits), 0);
  const attributes = { Index: { type: 'int32' }, end_mask: { int: mask } } as const;
  return l.same('StridedSlice', [x, l.integers(begin), l.integers(ends.map((end) => Math.max(end, 0))), l.integers(step)], shape, attributes);
};

const pad: Lower = (l, node, [x, , value]) => {
  const pads = l.numbers(node, 1);
  const rank = pads.length / 2;
  const pairs = Array.from({ length: rank }, (_, axis) => [pads[axis] as number, pads[axis + rank] as number]);
  const paddings = l.constant(Int32Array.from(pairs.flat()), { type: 'int32', shape: [rank, 2] });
  return l.same('PadV2', [x as Ref, paddings, value as Ref], shapeOf(l, node.outputs), { Tpaddings: { type: 'int32' } });
};

const concat: Lower = (l, node, parts) => {
  const axis = l.integer(intOf(node, 'axis'));
  return l.same('ConcatV2', [...parts, axis], shapeOf(l, node.outputs), { N: { int: parts.length }, Tidx: { type: 'int32' } });
};

const split: Lower = (l, node, [given]) => {
  const x = given as Ref;
  const axis = intOf(node, 'axis');
  const types = node.outputs.map((name) => l.typeOf(name));
  const sizes = l.integers(types.map(({ shape }) => shape[axis] as number));
  const attributes = { T: { type: x.type }, Tlen: { type: 'int32' }, num_split: { int: types.length } } as const;
  return l.wide('SplitV', [x, sizes, l.integer(axis)], types, attributes);
};

const gather: Lower = (l, node, [x, indices]) => {
  const { type } = x as Ref;
  const attributes = { Tparams: { type }, Tindices: { type: (indices as Ref).type }, Taxis: { type: 'int32' } } as const;
  return l.node('GatherV2', [x as Ref, indices as Ref, l.integer(intOf(node, 'axis'))], { type, shape: shapeOf(l, node.outputs) }, attributes);
};

const gatherNd: Lower = (l, node, [x, indices]) => {
  const { type } = x as Ref;
  const attributes = { Tparams: { type }, Tindices: { type: (indices as Ref).type } } as const;
  return l.node('GatherNd', [x as Ref, indices as Ref], { type, shape: shapeOf(l, node.outputs) }, attributes);
};

/** Whole rows: the tracer writes one place a row, along the row. */
const scatterElements: Lower = (l, node, [onto, places, updates]) => {
  const target = onto as Ref;
  const [rows, width] = (updates as Ref).shape as [number, number];
  if (rows * width === 0) return target;
  const given = l.producer(node.inputs[1] as string);
  const column =
    given?.op === 'Expand' && l.typeOf(given.inputs[0] as string).shape[1] === 1
      ? l.ref(given.inputs[0] as string)
      : l.same('Slice', [places as Ref, l.integers([0, 0]), l.integers([rows, 1])], [rows, 1], { Index: { type: 'int32' } });
  const reduction = node.attributes.reduction as { string: string };
  const { type, shape } = target;
  const attributes = { T: { type }, Tindices: { type: column.type } } as const;
  const op = reduction.string === 'add' ? 'TensorScatterAdd' : 'TensorScatterUpdate';
  return l.node(op, [target, l.reshape(column, [rows, 1]), updates as Ref], { type, shape }, attributes);
};

export const moves: Lowers = {
  Concat: concat,
  Expand: (l, { outputs }, [x]) => {
    const shape = shapeOf(l, outputs);
    return l.same('BroadcastTo', [x as Ref, l.integers(shape)], shape, { Tidx: { type: 'int32' } });
  },
  Gather: gather,
  GatherND: gatherNd,
  Pad: pad,
  Reshape: (l, { outputs }, [x]) => l.reshape(x as Ref, shapeOf(l, outputs)),
  ScatterElements: scatterElements,
  Slice: slice,
  Split: split,
  Tile: (l, node, [x]) => l.same('Tile', [x as Ref, l.integers(l.numbers(node, 1))], shapeOf(l, node.outputs), { Tmultiples: { type: 'int32' } }),
  Transpose: (l, node, [x]) => l.transpose(x as Ref, intsOf(node, 'perm') as readonly number[]),
};
