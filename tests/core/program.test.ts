import { describe, expect, it } from 'vitest';
import { lazy, signatureOf } from '../../src/core/program.js';

describe('lazy', () => {
  it('computes an output when it is first asked for, once', () => {
    const asked: string[] = [];
    const outputs = lazy({
      a: () => {
        asked.push('a');
        return 1;
      },
      b: () => {
        asked.push('b');
        return 2;
      },
    });
    expect(Object.keys(outputs)).toEqual(['a', 'b']);
    expect('b' in outputs).toBe(true);
    expect(asked).toEqual([]);
    expect([outputs.b, outputs.b, outputs.a]).toEqual([2, 2, 1]);
    expect(asked).toEqual(['b', 'a']);
  });
  it('an output may use another one', () => {
    const outputs: Readonly<Record<'x' | 'y', number>> = lazy<'x' | 'y', number>({ x: () => 3, y: () => outputs.x * 2 });
    expect(outputs.y).toBe(6);
  });
  it('an output that fails fails for whoever asks, and only for them', () => {
    const outputs = lazy<'good' | 'bad', number>({
      good: () => 1,
      bad: () => {
        throw new Error('no');
      },
    });
    expect(outputs.good).toBe(1);
    expect(() => outputs.bad).toThrow('no');
  });
});

describe('signatureOf', () => {
  const origins = [{ source: 0, id: 0, epoch: 0, position: 0 }];
  it('lists tensor columns with shape and type, leaves carried ones out', () => {
    const columns = {
      tokens: { data: new Float32Array(4), shape: [1, 4] },
      mask: { data: new Uint8Array(4), shape: [1, 4] },
      ids: { data: new Int32Array(1), shape: [1] },
      text: { rows: 1, values: ['a'] },
      arrow: { rows: 1, arrow: {} },
    };
    expect(signatureOf({ rows: 1, columns, origins, grid: [2, 2], program: undefined })).toEqual({
      rows: 1,
      columns: { tokens: { shape: [1, 4], dtype: 'float32' }, mask: { shape: [1, 4], dtype: 'uint8' }, ids: { shape: [1], dtype: 'int32' } },
      grid: [2, 2],
    });
  });
  it('has no grid where the batch has none, and depends on no value', () => {
    const of = (value: number) => signatureOf({ rows: 1, columns: { x: { data: Float32Array.of(value), shape: [1] } }, origins, program: undefined });
    expect('grid' in of(1)).toBe(false);
    expect(JSON.stringify(of(1))).toBe(JSON.stringify(of(2)));
  });
});
