import { afterEach, describe, expect, it, vi } from 'vitest';
import { from, map, throwError, concat } from 'rxjs';
import { type Screen, duration, progress, progressLine, sayAbove, timeLeft } from '../../src/sinks/progress.js';
import { fakeRun, folder, report, stepped, steps, through } from './steps.js';

class Recorded implements Screen {
  readonly written: string[] = [];
  readonly isTTY: boolean;
  readonly columns: number;
  constructor(isTTY: boolean, columns = 100) {
    this.isTTY = isTTY;
    this.columns = columns;
  }
  write(text: string): void {
    this.written.push(text);
  }
}
/** One line, nothing that moves a cursor or colours. */
const isPlain = (text: string): boolean =>
  text.endsWith('\n') && !['\r', '\u001b'].some((control) => text.includes(control)) && text.trim().split('\n').length === 1;
const clear = '\r\u001b[2K';
/** Steps that take `ms` each by the clock given with them. */
function timed(count: number, ms: number): { clock: () => number; items: ReturnType<typeof steps> } {
  let now = -ms;
  return { clock: () => (now += ms), items: steps(1, count) };
}

afterEach(() => vi.unstubAllEnvs());

describe('the line', () => {
  it('says epoch, step, loss, speed, wait, share and time left', () => {
    expect(progressLine(report(12, { epoch: 1.234, loss: 0.43219, samplesPerSecond: 1850.4, dataWait: 0.031, progress: 0.123 }), 200)).toBe(
      ' 12 % · epoch 1.23 · step 12 · loss 0.4322 · 1,850 samples/s · data 3 % · 3 min 20 s left',
    );
  });

  it('leaves out what is not known, and copes with small and slow', () => {
    expect(progressLine(report(1234, { epoch: 0, loss: 1.25e-5, samplesPerSecond: 0.4321, dataWait: 0, progress: undefined }), undefined)).toBe(
      'epoch 0.00 · step 1,234 · loss 1.25e-5 · 0.43 samples/s · data 0 %',
    );
    expect(progressLine(report(5, { progress: 1 }), 0)).toMatch(/^100 % .* · done$/);
  });

  it.each([
    [0, '0 s'],
    [-3, '0 s'],
    [59.4, '59 s'],
    [59.6, '1 min 00 s'],
    [3599, '59 min 59 s'],
    [3600, '1 h 00 min'],
    [90061, '25 h 01 min'],
  ])('%d seconds read %s', (seconds, text) => {
    expect(duration(seconds)).toBe(text);
  });

  it('time left goes by the share done since the first step seen, so that a resumed run is not taken for a fast one', () => {
    expect(timeLeft({ progress: 0.5, at: 1000 }, 0.6, 3000)).toBeCloseTo(8);
    expect(timeLeft({ progress: 0.5, at: 1000 }, 0.5, 3000)).toBeUndefined();
    expect(timeLeft({ progress: undefined, at: 0 }, 0.5, 3000)).toBeUndefined();
    expect(timeLeft({ progress: 0.5, at: 0 }, undefined, 3000)).toBeUndefined();
  });
});

describe('on a terminal', () => {
  it('redraws one line at most ten times a second, and leaves the last step standing', async () => {
    const screen = new Recorded(true);
    const { clock, items } = timed(101, 30);
    vi.stubEnv('NO_COLOR', '1');
    expect(await through(progress({ screen, clock }), items)).toEqual(items);
    const draws = screen.written.filter((text) => text.startsWith(clear));
    // 101 steps of 30 ms: every fourth is more than 100 ms after the last draw; the 101st is one of them.
    expect(draws).toHaveLength(26);
    expect(draws.at(-1)).toContain('step 101');
    expect(screen.written.at(-1)).toBe('\n');
    expect(screen.written.filter((text) => text.includes('\n'))).toHaveLength(1);
  });

  it('shows a last step that came too soon after the one before', async () => {
    const screen = new Recorded(true);
    const { clock, items } = timed(3, 10);
    await through(progress({ screen, clock }), items);
    expect(screen.written.filter((text) => text.startsWith(clear)).map((text) => /step (\d+)/.exec(text)?.[1])).toEqual(['1', '3']);
  });

  it('never wraps', async () => {
    const screen = new Recorded(true, 30);
    vi.stubEnv('NO_COLOR', '1');
    await through(progress({ screen }), steps(1, 1));
    const [line = ''] = screen.written;
    expect(line.slice(clear.length)).toHaveLength(29);
    expect(line.endsWith('…')).toBe(true);
  });

  it('uses colour unless NO_COLOR says no', async () => {
    for (const [value, coloured] of [
      ['', true],
      ['1', false],
    ] as const) {
      const screen = new Recorded(true);
      vi.stubEnv('NO_COLOR', value);
      await through(progress({ screen }), steps(1, 1));
      expect((screen.written[0] ?? '').slice(clear.length).includes('\u001b[')).toBe(coloured);
    }
  });

  it('other lines stand above it', async () => {
    const screen = new Recorded(true);
    vi.stubEnv('NO_COLOR', '1');
    const items = from(steps(1, 2)).pipe(
      map((item) => {
        if (item.report.step === 2) sayAbove('a warning', screen);
        return item;
      }),
    );
    await through(progress({ screen, clock: () => 0 }), items);
    const line = screen.written[0]?.slice(clear.length) ?? '';
    expect(line).toContain('step 1');
    expect(screen.written[1]).toBe(`${clear}a warning\n${line}`);
    sayAbove('after the run', screen);
    expect(screen.written.at(-1)).toBe('after the run\n');
  });

  it('finishes its line when the run fails', async () => {
    const screen = new Recorded(true);
    const items = concat(
      from(steps(1, 2)),
      throwError(() => new Error('engine')),
    );
    await expect(through(progress({ screen, clock: () => 0 }), items)).rejects.toThrow('engine');
    expect(screen.written.at(-2)).toContain('step 2');
    expect(screen.written.at(-1)).toBe('\n');
  });
});

describe('elsewhere', () => {
  it('writes the first step, then a line every five seconds, and the last', async () => {
    const screen = new Recorded(false);
    const { clock, items } = timed(13, 1000);
    await through(progress({ screen, clock }), items);
    expect(screen.written.map((text) => /step (\d+)/.exec(text)?.[1])).toEqual(['1', '6', '11', '13']);
    for (const text of screen.written) expect(isPlain(text)).toBe(true);
    expect(screen.written.at(-1)).toMatch(/^13 % · epoch 1.30 · step 13 · .* · 1 min 27 s left\n$/);
  });

  it('a dumb terminal is none', async () => {
    const screen = new Recorded(true);
    vi.stubEnv('TERM', 'dumb');
    await through(progress({ screen }), steps(1, 1));
    expect(isPlain(screen.written.join(''))).toBe(true);
  });

  it('quiet is silent; nothing in, nothing out', async () => {
    const screen = new Recorded(true);
    expect(await through(progress({ screen, quiet: true }), steps(1, 3))).toHaveLength(3);
    await through(progress({ screen }), []);
    expect(screen.written).toEqual([]);
  });

  it('explains misuse', async () => {
    expect(() => progress({ quit: true } as never)).toThrow('progress.quit: there is no such option. Did you mean quiet?');
    expect(() => progress({ every: -1 })).toThrow('progress.every: must be a number of seconds of at least 0; got -1.');
    const { report: _, ...batch } = stepped(1);
    await expect(through(progress({ screen: new Recorded(false) }), [batch as never], fakeRun({ folder: folder() }))).rejects.toThrow(
      'progress: there is no finished step to look at',
    );
  });
});
