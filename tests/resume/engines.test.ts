// On every engine that can run here: the steps of a training agree with those of the cpu backend, and a run that was
// interrupted goes on to the bytes of one that was left alone. (stopped.test.ts stops one engine at every file operation.)
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type ChosenBackend, chooseBackend } from '../../src/backends/index.js';
import type { Executor } from '../../src/core/program.js';
import { type RunOptions, run } from '../../src/run/run.js';
import { presentBackends } from '../backends/presentBackends.js';
import { leftovers } from './leftovers.js';
import { tiny } from './tiny.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-engines-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

/** Few: on a software adapter a step takes seconds. */
const options = { epochs: 1, steps: 4 };
const start = (chosen: ChosenBackend, out: string, more: Partial<RunOptions> = {}) =>
  run(tiny(), { name: 'tiny', out: join(root, out), options, executor: async (seed) => chosen.executor({ seed }), ...more });
const losses = (out: string): number[] => leftovers(join(root, out)).losses.map((line) => (JSON.parse(line) as { loss: number }).loss);

beforeAll(async () => {
  await start(await chooseBackend({ backend: 'cpu' }), 'reference');
});

describe.each(await presentBackends())('a run on %s', (name, chosen) => {
  beforeAll(async () => {
    await start(chosen, name);
  }, 120_000);

  it('takes the steps of the cpu backend', () => {
    const [got, wanted] = [losses(name), losses('reference')];
    expect(got).toHaveLength(4);
    for (const [i, loss] of got.entries()) expect(Math.abs(loss - (wanted[i] as number))).toBeLessThan(1e-4 * (wanted[i] as number));
    expect(JSON.parse(readFileSync(join(root, name, 'run.json'), 'utf8'))).toMatchObject({ status: 'done', backend: name });
  });

  it('interrupted and resumed ends with the very same bytes', async () => {
    const out = `${name}-parts`;
    const stopping = new AbortController();
    const executor = async (seed: number): Promise<Executor> => {
      const made = chosen.executor({ seed });
      const step: Executor['step'] = (...given) => {
        stopping.abort();
        return made.step(...given);
      };
      return { ...made, step };
    };
    const interrupted = await start(chosen, out, { signal: stopping.signal, prefetch: 1, executor });
    expect(interrupted.status).toBe('interrupted');
    expect([1, 2, 3]).toContain(interrupted.step);
    const { status, step } = await start(chosen, out, { resume: true });
    expect({ status, step }).toEqual({ status: 'done', step: 4 });
    expect(leftovers(join(root, out))).toEqual(leftovers(join(root, name)));
  }, 120_000);
});
