// The canonical extension type `arrow.fixed_shape_tensor` (Arrow columnar format, "Canonical Extension Types"): a
// FixedSizeList whose field metadata holds the shape of one row. Both directions share the buffer; only a stored
// `permutation` (a tensor whose dimensions lie in another order in memory) costs a transposed copy.
import { type Data as ArrowData, DataType, Field, FixedSizeList, Float32, Int32, Uint8, makeData } from 'apache-arrow';
import { type Column, type Data, dtypeOf, sizeOf } from '../batch.js';
import { MaskflowError } from '../errors.js';

export const extensionName = 'ARROW:extension:name';
export const extensionMetadata = 'ARROW:extension:metadata';
export const fixedShapeTensor = 'arrow.fixed_shape_tensor';

/** How one row of a column lies in memory. */
export interface TensorLayout {
  /** Shape of one row as it is stored. */
  readonly stored: readonly number[];
  /** Logical axis i is stored axis permutation[i]; undefined = as stored. */
  readonly permutation?: readonly number[];
}

const primitive = { float32: () => new Float32(), int32: () => new Int32(), uint8: () => new Uint8() };

/** The Arrow field of a tensor column: a primitive for rank 1, else a fixed-shape tensor. */
export function tensorField(name: string, column: Column): Field {
  const rest = column.shape.slice(1);
  const value = primitive[dtypeOf(column.data)]();
  if (rest.length === 0) return new Field(name, value, false);
  const type = new FixedSizeList(sizeOf(rest), new Field('item', value, false));
  return new Field(
    name,
    type,
    false,
    new Map([
      [extensionName, fixedShapeTensor],
      [extensionMetadata, JSON.stringify({ shape: rest })],
    ]),
  );
}

/** The Arrow data of a tensor column, on the column's own buffer. */
export function tensorData(column: Column, field: Field): ArrowData {
  const [rows = 0] = column.shape;
  const value = (length: number): ArrowData =>
    makeData({ type: primitive[dtypeOf(column.data)](), length, nullCount: 0, data: column.data } as never) as ArrowData;
  if (!DataType.isFixedSizeList(field.type)) return value(rows);
  return makeData({ type: field.type, length: rows, nullCount: 0, child: value(column.data.length) as never }) as ArrowData;
}

/** The layout of a field of fixed-size lists: from its metadata, or one axis for each level of lists. */
export function tensorLayout(field: Field): TensorLayout {
  const nested: number[] = [];
  let type: DataType = field.type;
  while (DataType.isFixedSizeList(type)) {
    nested.push(type.listSize);
    type = (type.children[0] as Field).type;
  }
  if (field.metadata.get(extensionName) !== fixedShapeTensor) return { stored: nested };
  const text = field.metadata.get(extensionMetadata) ?? '';
  let meta: { shape?: unknown; permutation?: unknown };
  try {
    meta = JSON.parse(text) as typeof meta;
  } catch {
    meta = {};
  }
  const { shape, permutation } = meta ?? {};
  const axes = (value: unknown): value is number[] => Array.isArray(value) && value.every((n) => Number.isInteger(n) && n >= 0);
  if (!axes(shape) || sizeOf(shape) !== sizeOf(nested)) {
    throw new MaskflowError({
      option: field.name,
      rule: `the metadata of ${fixedShapeTensor} must be {"shape": […]} with ${sizeOf(nested)} elements a row`,
      value: text,
    });
  }
  if (permutation === undefined || permutation === null) return { stored: shape };
  if (!axes(permutation) || [...permutation].sort((a, b) => a - b).join() !== shape.map((_, axis) => axis).join()) {
    throw new MaskflowError({ option: field.name, rule: `permutation must name each of the ${shape.length} axes once`, value: permutation });
  }
  return permutation.every((from, to) => from === to) ? { stored: shape } : { stored: shape, permutation };
}

/** The numbers under `levels` of fixed-size lists; undefined where a null lies among them. */
export function innermost(data: ArrowData): ArrowData | undefined {
  let inner = data;
  while (DataType.isFixedSizeList(inner.type)) {
    if (inner.nullCount > 0) return undefined;
    inner = inner.children[0] as ArrowData;
  }
  return inner.nullCount > 0 ? undefined : inner;
}

/** `rows` tensors of `elements` with this layout as one column: the same buffer, or a copy where axes are permuted. */
export function laidOut(elements: Data, rows: number, { stored, permutation }: TensorLayout): Column {
  const size = sizeOf(stored);
  const data = elements.subarray(0, rows * size) as Data;
  if (data.length !== rows * size) throw new MaskflowError({ rule: `a tensor column of ${rows} rows must hold ${rows * size} elements`, value: data.length });
  if (permutation === undefined) return { data, shape: [rows, ...stored] };
  const shape = permutation.map((axis) => stored[axis] as number);
  const strides = stored.map((_, axis) => sizeOf(stored.slice(axis + 1)));
  const steps = permutation.map((axis) => strides[axis] as number);
  const copy = new (elements.constructor as new (n: number) => Data)(rows * size);
  const index = new Array<number>(shape.length).fill(0);
  for (let to = 0, from = 0; to < copy.length; to++) {
    copy[to] = data[Math.floor(to / size) * size + from] as number;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += steps[axis] as number;
      index[axis] = (index[axis] as number) + 1;
      if ((index[axis] as number) < (shape[axis] as number)) break;
      from -= (steps[axis] as number) * (shape[axis] as number);
      index[axis] = 0;
    }
  }
  return { data: copy, shape: [rows, ...shape] };
}
