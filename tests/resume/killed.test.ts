// Killed by SIGKILL at random moments, resumed, killed again, resumed: nothing differs from the run that was left alone.
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { Draws, fold, rootKey } from '../../src/core/key.js';
import { presentBackends } from '../backends/presentBackends.js';
import { leftovers } from './leftovers.js';

const bin = fileURLToPath(new URL('../../bin/maskflow.js', import.meta.url));
const built = existsSync(new URL('../../dist/cli/main.js', import.meta.url));
const file = fileURLToPath(new URL('./tinyPipeline.ts', import.meta.url));
const trials = Number(process.env.MASKFLOW_KILL_TRIALS ?? 5);
if (!built) console.log('skipped: killed runs need the built command (npm run build)');
/** The engines that take a step in milliseconds; the files are the same on all, so that most trials are on one. */
const engines = built
  ? (await presentBackends({ software: false })).map(([name]) => ({ name, trials: name === 'cpu' ? trials : Math.ceil(trials / 5) }))
  : [{ name: 'cpu', trials }];

describe.skipIf(!built).each(engines)('a run on $name killed by SIGKILL', ({ name: backend, trials }) => {
  const root = mkdtempSync(join(tmpdir(), 'maskflow-kill-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const argumentsFor = (out: string, resume: boolean): string[] => [
    bin,
    'run',
    file,
    '--backend',
    backend,
    '--out',
    join(root, out),
    '--json',
    ...(resume ? ['--resume'] : []),
  ];
  const whole = (out: string, resume: boolean): void => {
    const { status, stderr } = spawnSync(process.execPath, argumentsFor(out, resume), { cwd: root, encoding: 'utf8' });
    expect(status, stderr).toBe(0);
  };
  /** Epoch of the last line of metrics, as a fraction. */
  const epochOf = (out: string): number => {
    const path = join(root, out, 'metrics.jsonl');
    const lines = existsSync(path) ? readFileSync(path, 'utf8').trim().split('\n') : [];
    try {
      return (JSON.parse(lines.at(-1) ?? '{"epoch":0}') as { epoch: number }).epoch;
    } catch {
      return 0;
    }
  };
  const ended = (child: ChildProcess): Promise<void> => new Promise((resolve) => child.once('exit', () => resolve()));
  /** Starts the run and kills it once it is past `epoch` and some milliseconds more. */
  const kill = async (out: string, resume: boolean, epoch: number, milliseconds: number): Promise<void> => {
    const child = spawn(process.execPath, argumentsFor(out, resume), { cwd: root, stdio: 'ignore' });
    const exit = ended(child);
    let over = false;
    void exit.then(() => (over = true));
    while (!over && epochOf(out) < epoch) await sleep(2);
    await sleep(milliseconds);
    child.kill('SIGKILL');
    await exit;
    expect(child.signalCode).toBe('SIGKILL');
  };

  beforeAll(() => whole('alone', false), 120_000);

  it.each(Array.from({ length: trials }, (_, trial) => trial))(
    'goes on exactly, trial %i',
    async (trial) => {
      const draws = new Draws(fold(rootKey(trial), 'kill'));
      const out = `trial-${trial}`;
      await kill(out, false, draws.uniform(1, 2.5), draws.uniform(0, 60));
      for (const name of readdirSync(join(root, out, 'checkpoints')).filter((entry) => entry.startsWith('step-'))) {
        expect(readdirSync(join(root, out, 'checkpoints', name))).toHaveLength(4);
      }
      await kill(out, true, draws.uniform(3, 4.5), draws.uniform(0, 60));
      whole(out, true);
      expect(leftovers(join(root, out))).toEqual(leftovers(join(root, 'alone')));
    },
    120_000,
  );
});
