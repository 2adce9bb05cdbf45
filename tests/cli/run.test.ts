// maskflow run as its own process: what it prints, its exit codes, Ctrl-C and going on.
import { existsSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { summary } from '../../src/cli/run.js';
import type { RunRecord } from '../../src/run/folder.js';
import { leftovers } from '../resume/leftovers.js';
import { built, start } from './built.js';
import { maskflow, plainText } from './console.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-cli-run-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const file = fileURLToPath(new URL('../resume/tinyPipeline.ts', import.meta.url));
const record = (folder: string): RunRecord => JSON.parse(readFileSync(join(folder, 'run.json'), 'utf8')) as RunRecord;

describe('summary', () => {
  it('puts each figure beside that of untrained weights, and the paths below', () => {
    const lines = plainText(summary({ loss: 0.123456, knn: 0.91, untrained: { knn: 0.25 } }, { checkpoint: 'runs/a/checkpoints/step-00000010' })).split('\n');
    expect(lines).toEqual(['  loss        0.1235', '  knn         0.9100   (untrained 0.2500)', '  checkpoint  runs/a/checkpoints/step-00000010']);
  });

  it('shows what is no number, and nothing where there is nothing', () => {
    const two = summary({ nelbo: 4.9651, untrained: { nelbo: 7.4171 }, unigram: { nelbo: 6.0132 } }, {});
    expect(plainText(two)).toBe('  nelbo  4.965   (untrained 7.417, unigram 6.013)');
    expect(plainText(summary({ best: [1, 2] }, {}))).toBe('  best  [1,2]');
    expect(summary({}, {})).toBe('');
  });
});

describe('maskflow run in this process', () => {
  it('of a chain without sinks: exit code 0, --json prints one object, the folder is numbered', async () => {
    const cwd = process.cwd();
    process.chdir(root);
    try {
      // Imports nothing, so that it can be loaded here: an observable by its protocol.
      writeFileSync(
        'plain.ts',
        `export default { kind: 'maskflow.pipeline', defaults: { epochs: 1 }, build: () => ({ subscribe: (o: { complete(): void }) => (queueMicrotask(() => o.complete()), { unsubscribe() {} }) }) };\n`,
      );
      const first = await maskflow('run', 'plain.ts', '--backend', 'cpu', '--json', '--seed', '3', '--set', 'epochs=2');
      // On the screen stands which engine runs; stdout stays free for data.
      expect(first).toMatchObject({ code: 0, stderr: 'Engine: cpu (JavaScript, 1 thread)\n' });
      expect(JSON.parse(first.stdout)).toEqual({
        status: 'done',
        step: 0,
        folder: join(root, 'runs/plain'),
        result: {},
        paths: { result: 'runs/plain/result.json' },
      });
      expect(record('runs/plain')).toMatchObject({ seed: 3, options: { epochs: 2 }, status: 'done' });
      expect((await maskflow('run', 'plain.ts', '--backend', 'cpu')).stdout).toBe('  result  runs/plain-2/result.json\n');
      // The newest is done already: nothing to do is no failure.
      expect(await maskflow('run', 'plain.ts', '--resume')).toMatchObject({ code: 0, stderr: `${join(root, 'runs/plain-2')} is done; nothing to resume.\n` });
      const wasm = await maskflow('run', 'plain.ts', '--backend', 'wasm', '--out', 'wasm');
      expect(wasm.stderr).toMatch(/^Engine: wasm \(WebAssembly(, SIMD)?, 1 thread\)\n$/);
      expect(record('wasm').backend).toBe('wasm');
      expect(readdirSync('runs').sort()).toEqual(['plain', 'plain-2']);
    } finally {
      process.chdir(cwd);
    }
  });
});

describe.skipIf(!built)('Ctrl-C', () => {
  /** Waits until this holds, or the process has ended. */
  const until = async (holds: () => boolean, ended: Promise<unknown>): Promise<void> => {
    let over = false;
    void ended.then(() => {
      over = true;
    });
    while (!over && !holds()) await sleep(5);
  };
  /** Waits until this many lines of metrics are there. */
  const steps = (folder: string, count: number, ended: Promise<unknown>): Promise<void> => {
    const path = join(folder, 'metrics.jsonl');
    return until(() => existsSync(path) && readFileSync(path, 'utf8').split('\n').length > count, ended);
  };
  const common = ['run', file, '--backend', 'cpu', '--seed', '4', '--set', 'epochs=4'];

  it('saves a checkpoint, says how to go on and ends with 130; that command goes on to 0, as if nothing had been', async () => {
    const whole = await start(root, [...common, '--out', 'whole', '--json']).ended;
    expect(whole.code, whole.stderr).toBe(0);
    const { child, ended } = start(root, [...common, '--out', 'it stopped']);
    await steps(join(root, 'it stopped'), 4, ended);
    child.kill('SIGINT');
    const stopped = await ended;
    expect(stopped.code, stopped.stderr).toBe(130);
    expect(stopped.stdout).toBe('');
    expect(stopped.stderr).toMatch(/Stopping after what is in flight, with a checkpoint\. \(Ctrl-C again ends at once\.\)\n/);
    const [, step, again] = /^Interrupted at step (\d+), checkpoint saved\. Go on with: maskflow (.*)$/m.exec(stopped.stderr) as unknown as [
      string,
      string,
      string,
    ];
    expect(Number(step)).toBeGreaterThanOrEqual(4);
    expect(record(join(root, 'it stopped'))).toMatchObject({ status: 'interrupted', seed: 4 });
    expect(readFileSync(join(root, 'it stopped/checkpoints/last'), 'utf8')).toBe(`step-${step.padStart(8, '0')}\n`);
    expect(existsSync(join(root, 'it stopped/result.json'))).toBe(false);
    // Word for word as a shell reads it: no path of this test holds a quotation mark.
    const words = [...again.matchAll(/'([^']*)'|(\S+)/g)].map(([, quoted, bare]) => quoted ?? (bare as string));
    expect(words.slice(0, 2)).toEqual(['run', file]);
    const went = await start(root, [...words, '--json']).ended;
    expect(went.code, went.stderr).toBe(0);
    expect(went.stderr).toContain(`Going on from step-${step.padStart(8, '0')}.`);
    expect(leftovers(join(root, 'it stopped'))).toEqual(leftovers(join(root, 'whole')));
    const [a, b] = [JSON.parse(went.stdout), JSON.parse(whole.stdout)] as { status: string; step: number; result: object; paths: Record<string, string> }[];
    expect(a).toMatchObject({ status: 'done', step: b?.step, result: b?.result });
    expect(a?.paths).toMatchObject({
      result: 'it stopped/result.json',
      metrics: 'it stopped/metrics.jsonl',
      checkpoint: expect.stringMatching(/^it stopped\/checkpoints\/step-\d{8}$/) as string,
    });
    expect(record(join(root, 'it stopped'))).toMatchObject({ status: 'done' });
  }, 60_000);

  it('a second time ends at once; the run can go on from its last checkpoint', async () => {
    const slow = [...common, '--out', 'twice', '--set', 'pause=300', '--set', 'every=1'];
    const { child, ended, said } = start(root, slow);
    await until(() => existsSync(join(root, 'twice/checkpoints/last')), ended);
    child.kill('SIGINT');
    await until(() => said().includes('Stopping'), ended);
    child.kill('SIGINT');
    const { code, stderr } = await ended;
    expect(code).toBe(130);
    expect(stderr).not.toContain('checkpoint saved');
    expect(record(join(root, 'twice')).status).toBe('running');
    // The process is gone, so its run may be taken over, with the options that it had.
    const again = start(root, ['run', file, '--out', 'twice', '--resume']);
    await until(() => again.said().includes('Going on from'), again.ended);
    again.child.kill('SIGKILL');
    await again.ended;
    expect(again.said()).toMatch(/^Engine: cpu [^\n]*\nGoing on from step-\d{8}\.$/m);
  }, 60_000);
});
