import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { concat, defer, from, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
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
