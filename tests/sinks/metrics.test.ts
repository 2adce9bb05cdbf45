import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { concat, defer, from, lastValueFrom, of, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import type { AnyBatch, Batch, Column } from '../../src/core/batch.js';
import { mask } from '../../src/operators/mask.js';
import { bernoulli } from '../../src/operators/masks/bernoulli.js';
import { maskedCounts } from '../../src/sinks/maskedCounts.js';
import { cutMetrics, metrics, metricsLine } from '../../src/sinks/metrics.js';
import { fakeRun, folder, report, stepped, steps, through } from './steps.js';

const stepsIn = (path: string): number[] =>
  readFileSync(path, 'utf8')
    .split('\n')
    .filter(Boolean)
    .map((line) => (JSON.parse(line) as { step: number }).step);

describe('metrics', () => {
  it('writes one object a step and passes the items on', async () => {
    const root = folder();
    const items = steps(1, 3);
    expect(await through(metrics('deep/metrics.jsonl'), items, fakeRun({ folder: root }))).toEqual(items);
    const lines = readFileSync(join(root, 'deep', 'metrics.jsonl'), 'utf8').split('\n');
    expect(lines).toHaveLength(4);
    expect(lines[3]).toBe('');
    expect(lines[1]).toBe('{"step":2,"epoch":0.2,"samples":64,"loss":0.5,"learningRate":0.001,"gradientNorm":2,"samplesPerSecond":1234.6,"dataWait":0.125}');
  });

  it.each([
    [1, 25, 10, [1, 10, 20, 25]],
    [1, 20, 10, [1, 10, 20]],
    [1, 1, 10, [1]],
    [1, 4, 1, [1, 2, 3, 4]],
  ])('logs step 1, every n-th and the last one: steps %i to %i, every %i', async (first, last, every, expected) => {
    const path = join(folder(), 'm.jsonl');
    await through(metrics(path, { every }), steps(first, last), fakeRun({ folder: '/' }));
    expect(stepsIn(path)).toEqual(expected);
  });

  it('a fresh run empties the file, even where no step follows', async () => {
    const root = folder();
    const path = join(root, 'm.jsonl');
    writeFileSync(path, '{"step":99}\n');
    await through(metrics(path), [], fakeRun({ folder: root }));
    expect(readFileSync(path, 'utf8')).toBe('');
  });

  it('a resumed run has the lines of an uninterrupted one, wherever the first was torn', async () => {
    const root = folder();
    await through(metrics('whole.jsonl', { every: 3 }), steps(1, 10), fakeRun({ folder: root }));
    const whole = readFileSync(join(root, 'whole.jsonl'), 'utf8');
    await through(metrics('part.jsonl', { every: 3 }), steps(1, 8), fakeRun({ folder: root }));
    const part = readFileSync(join(root, 'part.jsonl'), 'utf8');
    for (let torn = 0; torn <= part.length; torn++) {
      const path = join(root, 'torn.jsonl');
      writeFileSync(path, part.slice(0, torn));
      const kept = part.slice(0, torn).split('\n').length - 1;
      // A checkpoint of step 5 needs the lines of steps 1 and 3; a file that lost them cannot get them back.
      await through(metrics('torn.jsonl', { every: 3 }), steps(6, 10), fakeRun({ folder: root, resumed: 5 }));
      const expected = whole
        .split('\n')
        .filter((_, i) => i >= 2 || i < kept)
        .join('\n');
      expect(readFileSync(path, 'utf8')).toBe(expected);
    }
    expect(readdirSync(root).filter((name) => name.endsWith('.partial'))).toEqual([]);
  });

  it('a resume cuts even where no step follows, and starts the file where there is none', async () => {
    const root = folder();
    writeFileSync(join(root, 'm.jsonl'), '{"step":1}\n{"step":2}\n{"step":3}\n');
    await through(metrics('m.jsonl'), [], fakeRun({ folder: root, resumed: 2 }));
    expect(stepsIn(join(root, 'm.jsonl'))).toEqual([1, 2]);
    await through(metrics('new.jsonl'), steps(3, 4), fakeRun({ folder: root, resumed: 2 }));
    expect(stepsIn(join(root, 'new.jsonl'))).toEqual([3, 4]);
  });

  it('logs the last step before an interruption', async () => {
    const path = join(folder(), 'm.jsonl');
    const atStop: (() => Promise<void>)[] = [];
    let written: number[] = [];
    // The run calls this before it ends the subscription: nothing has completed yet.
    const interrupted = defer(async () => {
      for (const save of atStop) await save();
      written = stepsIn(path);
      return stepped(6);
    });
    await through(metrics(path, { every: 3 }), concat(from(steps(1, 5)), interrupted), fakeRun({ folder: '/', atStop }));
    expect(written).toEqual([1, 3, 5]);
    expect(stepsIn(path)).toEqual([1, 3, 5, 6]);
  });

  it('says how many lines were unreadable', async () => {
    const root = folder();
    const said: string[] = [];
    writeFileSync(join(root, 'm.jsonl'), '{"step":1}\n\0\0\0\n[]\n{"step":2}\n');
    await through(metrics('m.jsonl'), steps(3, 3), fakeRun({ folder: root, resumed: 2, said }));
    expect(stepsIn(join(root, 'm.jsonl'))).toEqual([1, 2, 3]);
    expect(said).toEqual([`${join(root, 'm.jsonl')}: 2 lines could not be read and were dropped`]);
  });

  it('cutting keeps exactly the whole lines up to the step (any steps, any tear)', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(50), { maxLength: 20 }), fc.nat(50), fc.nat(2000), (at, step, tear) => {
        const text = at.map((n) => `{"step":${n},"loss":0.5}\n`).join('');
        const torn = text.slice(0, tear);
        const lines = torn.split('\n').slice(0, -1);
        const kept = lines
          .filter((line) => (JSON.parse(line) as { step: number }).step <= step)
          .map((line) => `${line}\n`)
          .join('');
        expect(cutMetrics(torn, step)).toEqual({ kept, unreadable: 0 });
      }),
      { numRuns: 200, seed: 4 },
    );
  });

  it('leaves out what is not finite: JSON has no NaN', () => {
    expect(JSON.parse(metricsLine(report(2, { loss: Number.NaN, samplesPerSecond: Number.POSITIVE_INFINITY })))).toEqual({
      step: 2,
      epoch: 0.2,
      samples: 64,
      learningRate: 1e-3,
      gradientNorm: 2,
      dataWait: 0.125,
    });
  });

  it('has written every finished step when a later one fails', async () => {
    const path = join(folder(), 'm.jsonl');
    await expect(
      through(
        metrics(path),
        concat(
          from(steps(1, 5)),
          throwError(() => new Error('engine')),
        ),
        fakeRun({ folder: '/' }),
      ),
    ).rejects.toThrow('engine');
    expect(stepsIn(path)).toEqual([1, 2, 3, 4, 5]);
  });

  it.skipIf(!existsSync('/dev/full'))('a failed write ends the run with stage, path and way out', async () => {
    await expect(through(metrics('/dev/full'), steps(1, 2), fakeRun({ folder: '/', resumed: 0 }))).rejects.toThrow(
      /^metrics: cannot (read|write) \/dev\/full: /,
    );
    await expect(through(metrics('/dev/full'), steps(1, 2), fakeRun({ folder: '/' }))).rejects.toThrow(
      'metrics: cannot write /dev/full: the disk is full (ENOSPC',
    );
  });

  it('a folder in the way is an error that names it', async () => {
    const root = folder();
    await expect(through(metrics(root), steps(1, 2), fakeRun({ folder: '/' }))).rejects.toThrow(`metrics: cannot open ${root}: there is a folder of this name`);
  });

  describe('the realised ratio', () => {
    /** Rows of four cells: how many are hidden, how many exist. */
    type Row = readonly [hidden: number, length: number];
    const masked = (rows: readonly Row[], more: Partial<AnyBatch['columns']> = {}): Partial<AnyBatch> => ({
      rows: rows.length,
      origins: rows.map((_, id) => ({ source: 0, id, epoch: 0, position: id })),
      columns: {
        mask: { data: Uint8Array.from(rows.flatMap(([hidden]) => [0, 1, 2, 3].map((i) => Number(i < hidden)))), shape: [rows.length, 4] },
        maskedShare: { data: Float32Array.from(rows, ([hidden, length]) => (length === 0 ? 0 : hidden / length)), shape: [rows.length] },
        length: { data: Int32Array.from(rows, ([, length]) => length), shape: [rows.length] },
        ...more,
      } as AnyBatch['columns'],
    });
    const batches = [
      [[1, 4]],
      [[1, 1]],
      [
        [0, 4],
        [3, 3],
      ],
      [[2, 4]],
      [[0, 3]],
      [[0, 0]],
    ] as const satisfies readonly (readonly Row[])[];
    const items = batches.map((rows, i) => stepped(i + 1, {}, masked(rows)));
    const sharesIn = (path: string): unknown[] =>
      readFileSync(path, 'utf8')
        .split('\n')
        .filter(Boolean)
        .map((line) => (JSON.parse(line) as { maskedShare?: number }).maskedShare);

    it('is hidden over eligible tokens, both summed since the line before', async () => {
      const root = folder();
      await through(metrics('all.jsonl'), items, fakeRun({ folder: root }));
      // A step in which nothing could be hidden has no ratio.
      expect(sharesIn(join(root, 'all.jsonl'))).toEqual([1 / 4, 1, 3 / 7, 1 / 2, 0, undefined]);
      await through(metrics('some.jsonl', { every: 3 }), items.slice(0, 5), fakeRun({ folder: root }));
      // Steps 1; 2 and 3: not the mean of 1 and 3/7, nor of rows' shares; 4 and 5.
      expect(stepsIn(join(root, 'some.jsonl'))).toEqual([1, 3, 5]);
      expect(sharesIn(join(root, 'some.jsonl'))).toEqual([1 / 4, 4 / 8, 2 / 7]);
      await through(metrics('none.jsonl'), steps(1, 2), fakeRun({ folder: root }));
      expect(readFileSync(join(root, 'none.jsonl'), 'utf8')).not.toContain('maskedShare');
    });

    it('a run that goes on between two lines writes those of an uninterrupted one', async () => {
      const root = folder();
      await through(metrics('whole.jsonl', { every: 3 }), items, fakeRun({ folder: root }));
      for (let step = 1; step < items.length; step++) {
        const stages: Record<string, () => Readonly<Record<string, unknown>>> = {};
        const keep = (name: string, save: () => Readonly<Record<string, unknown>>): void => {
          stages[name] = save;
        };
        const path = `part-${step}.jsonl`;
        await through(metrics(path, { every: 3 }), items.slice(0, step), { ...fakeRun({ folder: root }), keep });
        const saved = JSON.parse(JSON.stringify(stages.metrics?.())) as Readonly<Record<string, unknown>>;
        const run = fakeRun({ folder: root, resumed: step });
        await through(metrics(path, { every: 3 }), items.slice(step), { ...run, keep, resumed: { ...run.resumed!, stages: { metrics: saved } } });
        const lines = readFileSync(join(root, path), 'utf8')
          .split('\n')
          .filter((line) => !line.startsWith(`{"step":${step},`) || [1, 3, 6].includes(step));
        expect(lines.join('\n')).toBe(readFileSync(join(root, 'whole.jsonl'), 'utf8'));
      }
    });

    it('agrees with the mask stage, special tokens, empty rows and rows that fill up included', async () => {
      const root = folder();
      const [rows, cells] = [6, 12];
      const special = Uint8Array.from({ length: rows * cells }, (_, i) => Number(i % cells === 0));
      const last = { source: 0, id: 4, epoch: 0, position: 4 };
      const plain: AnyBatch = {
        rows,
        origins: [...[0, 1, 2, 3].map((id) => ({ source: 0, id, epoch: 0, position: id })), last, last],
        columns: {
          tokens: { data: new Int32Array(rows * cells), shape: [rows, cells] },
          special: { data: special, shape: [rows, cells] },
          length: { data: Int32Array.of(12, 1, 7, 5, 9, 9), shape: [rows] },
          weight: { data: Float32Array.of(1, 1, 1, 1, 1, 0), shape: [rows] },
        },
        program: undefined,
      };
      const hidden = (await lastValueFrom(of(plain as Batch<{ readonly tokens: Column }>).pipe(mask(bernoulli({ ratio: 0.3 }), { share: true })))) as AnyBatch;
      await through(metrics('m.jsonl'), [{ ...hidden, report: report(1) }], fakeRun({ folder: root }));
      const counted = (hidden.columns.mask as { data: Uint8Array }).data.subarray(0, 5 * cells).reduce((sum, bit) => sum + bit, 0);
      expect(counted).toBeGreaterThan(0);
      expect(sharesIn(join(root, 'm.jsonl'))).toEqual([counted / (11 + 0 + 6 + 4 + 8)]);
      // What counts by its weight is a row that fills up, not one that a loss leaves out.
      const unweighted = { ...hidden, origins: hidden.origins.map((origin, row) => (row === 5 ? { ...origin } : origin)) };
      expect(maskedCounts(unweighted)?.eligible).toBe(37);
    });
  });

  it('explains misuse', async () => {
    expect(() => metrics('m', { evry: 2 } as never)).toThrow('metrics.evry: there is no such option. Did you mean every?');
    expect(() => metrics('m', { every: 0 })).toThrow('metrics.every: must be an integer of at least 1; got 0.');
    await expect(through(metrics('m'), steps(1, 1))).rejects.toThrow('metrics: needs a run');
    const { report: _, ...batch } = stepped(1);
    await expect(through(metrics(join(folder(), 'm')), [batch as never], fakeRun({ folder: '/' }))).rejects.toThrow(
      'metrics: there is no finished step to look at (batch of samples 0, epoch 0). Put it behind train(…).',
    );
  });
});
