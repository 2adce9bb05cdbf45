import { existsSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { eventFileName, tensorboard } from '../../src/sinks/tensorboard.js';
import { type ReadEvent, readEvents } from '../formats/readEvents.js';
import { fakeRun, folder, steps, through } from './steps.js';

const eventsIn = (path: string): ReadEvent[][] =>
  readdirSync(path)
    .filter((name) => name.startsWith('events.out.tfevents.'))
    .sort()
    .map((name) => readEvents(readFileSync(join(path, name))));

describe('tensorboard', () => {
  it('writes version, session start and the scalars of each step', async () => {
    const root = folder();
    const items = steps(1, 3);
    expect(await through(tensorboard(root), items, fakeRun({ folder: root }))).toEqual(items);
    const [[version, start, ...logged] = [], ...more] = eventsIn(root);
    expect(more).toEqual([]);
    expect(version).toMatchObject({ version: 'brain.Event:2', step: 0 });
    expect(start).toMatchObject({ session: 1, step: 0 });
    expect(logged.map(({ step }) => step)).toEqual([1, 2, 3]);
    expect(logged[1]?.scalars).toEqual({
      'train/loss': 0.5,
      'train/learningRate': Math.fround(1e-3),
      'train/gradientNorm': 2,
      'train/epoch': Math.fround(0.2),
      'speed/samplesPerSecond': Math.fround(1234.6),
      'speed/dataWait': 0.125,
    });
    expect(Math.abs((logged[1]?.wallTime ?? 0) - Date.now() / 1000)).toBeLessThan(3600);
  });

  it('logs step 1, every n-th and the last one', async () => {
    const root = folder();
    await through(tensorboard('.', { every: 4 }), steps(1, 10), fakeRun({ folder: root }));
    expect(
      eventsIn(root)[0]
        ?.slice(2)
        .map(({ step }) => step),
    ).toEqual([1, 4, 8, 10]);
  });

  it('a resumed run starts a new file, read after the old one, that voids what lies behind the checkpoint', async () => {
    const root = folder();
    await through(tensorboard('.'), steps(1, 8), fakeRun({ folder: root }));
    const before = readdirSync(root).map((name) => readFileSync(join(root, name)));
    await through(tensorboard('.'), steps(6, 7), fakeRun({ folder: root, resumed: 5 }));
    const [old, fresh] = eventsIn(root);
    expect(old).toHaveLength(10);
    expect(readFileSync(join(root, readdirSync(root).sort()[0] as string))).toEqual(before[0]);
    // TensorBoard drops steps at or above that of a session start.
    expect(fresh?.map(({ step, session }) => [step, session])).toEqual([
      [0, undefined],
      [6, 1],
      [6, undefined],
      [7, undefined],
    ]);
  });

  it('writes no file where no step follows', async () => {
    const root = folder();
    await through(tensorboard('events'), [], fakeRun({ folder: root, resumed: 5 }));
    expect(readdirSync(root)).toEqual([]);
  });

  it('names of event files rise, whatever the clock says', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: 2_000_000_000 }), { maxLength: 8 }), (clock) => {
        const names: string[] = ['run.json', 'events.out.tfevents.0000000005.host.3.0'];
        for (const seconds of clock) names.push(eventFileName(names, seconds));
        expect(names.slice(1)).toEqual([...names.slice(1)].sort());
        expect(new Set(names).size).toBe(names.length);
      }),
      { numRuns: 100, seed: 4 },
    );
    expect(eventFileName([], 1_800_000_000.7)).toBe('events.out.tfevents.1800000000.maskflow');
  });

  it('a file in the way ends the run with stage and path', async () => {
    const root = folder();
    writeFileSync(join(root, 'events'), '');
    await expect(through(tensorboard('events'), steps(1, 1), fakeRun({ folder: root }))).rejects.toThrow(
      `tensorboard: cannot list ${join(root, 'events')}: part of the path is a file`,
    );
    expect(existsSync(join(root, 'events'))).toBe(true);
  });

  it('explains misuse', () => {
    expect(() => tensorboard('.', { evry: 2 } as never)).toThrow('tensorboard.evry: there is no such option. Did you mean every?');
    expect(() => tensorboard('.', { every: 1.5 })).toThrow('tensorboard.every: must be an integer of at least 1; got 1.5.');
  });
});
