// What the bits of a result depend on beside the engine stands in run.json, and a resume with something else is refused.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, describe, expect, it, vi } from 'vitest';
import { refuseChanges } from '../../src/run/resume.js';
import type { RunRecord } from '../../src/run/folder.js';
import { type RunOptions, run } from '../../src/run/run.js';
import { presentBackends } from '../backends/presentBackends.js';
import { tiny } from './tiny.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-settings-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
afterEach(() => vi.unstubAllEnvs());
const start = (name: string, more: Partial<RunOptions> = {}) => run(tiny(), { name: 'tiny', out: join(root, name), options: { epochs: 1 }, ...more });
const record = (name: string): RunRecord => JSON.parse(readFileSync(join(root, name, 'run.json'), 'utf8')) as RunRecord;

describe('refuseChanges', () => {
  const before = { options: {}, seed: 0, backend: 'onnx', settings: { provider: 'cpu', threads: 2 } } as unknown as RunRecord;
  const now = { options: {}, seed: 0, backend: 'onnx' };

  it('names the variable that brings a setting back', () => {
    expect(() => refuseChanges(before, { ...now, settings: { provider: 'cpu', threads: 4 } })).toThrow(
      'run.threads: a resumed run must go on with what it began with: threads was 2; got 4. Set MASKFLOW_ONNX_THREADS=2, without which the last digits differ, or start a new run: --out DIR.',
    );
    expect(() => refuseChanges(before, { ...now, settings: { provider: 'webgpu' } })).toThrow(
      /^run\.provider: .*provider was "cpu"; got "webgpu"\. Set MASKFLOW_ONNX_PROVIDER=cpu,/,
    );
  });

  it('lets through what is as it was, and what was never recorded', () => {
    refuseChanges(before, { ...now, settings: { provider: 'cpu', threads: 2 } });
    refuseChanges(before, now);
    const { settings: _, ...old } = before;
    refuseChanges(old as RunRecord, { ...now, settings: { provider: 'cpu', threads: 9 } });
  });
});

it('run.json says on what a run computed; another device is told at a resume', async () => {
  await start('cpu', { backend: 'cpu' });
  expect(record('cpu')).toMatchObject({ backend: 'cpu', device: 'JavaScript, 1 thread' });
  expect(record('cpu').settings).toBeUndefined();
  writeFileSync(join(root, 'cpu', 'run.json'), JSON.stringify({ ...record('cpu'), device: 'another' }));
  const said: string[] = [];
  await start('cpu', { backend: 'cpu', options: { epochs: 2 }, resume: true, say: (line) => said.push(line) });
  expect(said).toContain('The run began on another and goes on on JavaScript, 1 thread: last digits may differ.');
  expect(record('cpu').device).toBe('JavaScript, 1 thread');
});

const onnx = await presentBackends({ only: ['onnx'] });
describe.each(onnx)('a run on %s', (backend) => {
  it('goes on with the number of threads that it began with, and with no other', async () => {
    vi.stubEnv('MASKFLOW_ONNX_PROVIDER', 'cpu');
    vi.stubEnv('MASKFLOW_ONNX_THREADS', '1');
    await start('threads', { backend });
    expect(record('threads').settings).toEqual({ provider: 'cpu', threads: 1 });
    expect(record('threads').device).toMatch(/CPU, 1 thread$/);
    const before = readFileSync(join(root, 'threads', 'run.json'), 'utf8');
    vi.stubEnv('MASKFLOW_ONNX_THREADS', '2');
    await expect(start('threads', { options: { epochs: 2 }, resume: true })).rejects.toThrow(
      /run\.threads: .*threads was 1; got 2\. Set MASKFLOW_ONNX_THREADS=1,.*--out DIR/,
    );
    expect(readFileSync(join(root, 'threads', 'run.json'), 'utf8')).toBe(before);
    vi.stubEnv('MASKFLOW_ONNX_THREADS', '1');
    expect((await start('threads', { options: { epochs: 2 }, resume: true })).status).toBe('done');
  });
});
