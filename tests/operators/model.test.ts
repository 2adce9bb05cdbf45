import { type OperatorFunction, type Observable, map } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { AnyBatch } from '../../src/core/batch.js';
import type { Program } from '../../src/core/program.js';
import { batch } from '../../src/operators/batch.js';
import { model } from '../../src/operators/model.js';
import { numbers } from '../core/numbers.js';
import { collect } from './rows.js';
import { tiny } from './tiny.js';

const described = (program: Program<'prediction' | 'features'>, options?: { name?: string }): Observable<AnyBatch> =>
  numbers(4).pipe(batch(2), model(program, options) as OperatorFunction<unknown, AnyBatch>);

describe('model', () => {
  it('attaches the very program to every batch and computes nothing', async () => {
    const computed = { features: 0 };
    const program = tiny(computed);
    const out = await collect(described(program));
    expect(out).toHaveLength(2);
    for (const b of out) expect(b.program).toBe(program);
    expect(out.map((b) => Object.keys(b.columns))).toEqual([['n'], ['n']]);
    expect(computed.features).toBe(0);
  });
  it('adds the columns that the model prepares, to a new batch', async () => {
    const seen: AnyBatch[] = [];
    const program: Program<'prediction' | 'features'> = {
      ...tiny(),
      prepare: ({ rows }) => ({ plan: { data: Int32Array.from({ length: rows }, (_, i) => i), shape: [rows] } }),
    };
    const out = await collect(
      numbers(4).pipe(
        batch(2),
        map((b) => {
          seen.push(b);
          return b;
        }),
        model(program) as OperatorFunction<unknown, AnyBatch>,
      ),
    );
    expect(out[0]?.columns.plan).toEqual({ data: Int32Array.of(0, 1), shape: [2] });
    expect(seen.every(({ columns, program: none }) => !('plan' in columns) && none === undefined)).toBe(true);
    expect(out.map(({ origins }, i) => origins === seen[i]?.origins)).toEqual([true, true]);
  });
  it('an error of the preparation names the stage and the batch', async () => {
    const program = {
      ...tiny(),
      prepare: () => {
        throw new Error('no mask');
      },
    };
    await expect(collect(described(program, { name: 'vit' }))).rejects.toThrow('vit: no mask (batch of samples 0, 1, epoch 0).');
  });
  it('refuses unknown options', () => {
    expect(() => model(tiny(), { nmae: 'x' } as never)).toThrow('model.nmae: there is no such option. Did you mean name?');
  });
});
