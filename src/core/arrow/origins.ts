// Origins beside the data: a struct column, so that masks and scores that went through a file or a pipe are still keyed
// by the samples they belong to.
import { type Data as ArrowData, DataType, Field, Int32, Int64, Struct, makeData } from 'apache-arrow';
import type { Origin } from '../batch.js';

/** Name of the struct column of origins: {source: int32, id: int64, epoch: int32, position: int64}. */
export const originColumn = 'origin';

const members = [
  new Field('source', new Int32(), false),
  new Field('id', new Int64(), false),
  new Field('epoch', new Int32(), false),
  new Field('position', new Int64(), false),
];

export const originField = new Field(originColumn, new Struct(members), false);

export function isOriginField(field: Field): boolean {
  return field.name === originColumn && DataType.isStruct(field.type) && String(field.type) === String(originField.type);
}

export function originData(origins: readonly Origin[]): ArrowData {
  const length = origins.length;
  const short = (name: 'source' | 'epoch'): ArrowData =>
    makeData({ type: new Int32(), length, nullCount: 0, data: Int32Array.from(origins, (origin) => origin[name]) }) as ArrowData;
  const long = (name: 'id' | 'position'): ArrowData =>
    makeData({ type: new Int64(), length, nullCount: 0, data: BigInt64Array.from(origins, (origin) => BigInt(origin[name])) }) as ArrowData;
  return makeData({
    type: originField.type as Struct,
    length,
    nullCount: 0,
    children: [short('source'), long('id'), short('epoch'), long('position')],
  }) as ArrowData;
}

export function originsOf(data: ArrowData): Origin[] {
  const [source, id, epoch, position] = data.children.map((child) => child.values as ArrayLike<number | bigint>);
  const at = (values: ArrayLike<number | bigint> | undefined, row: number): number => Number(values?.[row] ?? 0);
  return Array.from({ length: data.length }, (_, row) => ({ source: at(source, row), id: at(id, row), epoch: at(epoch, row), position: at(position, row) }));
}
