// What a run writes about itself, and how it ends.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type Observable, merge, tap, throwError } from 'rxjs';
import { afterAll, describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/index.js';
import type { AnyBatch, Batch, Column } from '../../src/core/batch.js';
import { bounded, drain, nothing, runOf, source } from '../../src/core/demand/index.js';
import { MaskflowError } from '../../src/core/errors.js';
import type { Files } from '../../src/core/files.js';
import { type Paths, pipeline } from '../../src/core/pipeline.js';
import type { Program } from '../../src/core/program.js';
import { recipe } from '../../src/core/recipe.js';
import type { Stepped } from '../../src/core/run.js';
import { batch } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { shuffle } from '../../src/operators/shuffle.js';
import type { RunRecord } from '../../src/run/folder.js';
import { type RunOptions, run } from '../../src/run/run.js';
import { arrowFile } from '../../src/sinks/arrowFile.js';
import { nodeFiles } from '../../src/sinks/nodeFiles.js';
import { arrow } from '../../src/sources/arrow.js';
import { memory } from '../../src/sources/memory.js';
import { pictures } from '../../src/sinks/pictures.js';
import { tensorboard } from '../../src/sinks/tensorboard.js';
import { tiny } from '../resume/tiny.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-run-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const fresh = (): string => join(root, String(folders++));
const json = <T>(...path: string[]): T => JSON.parse(readFileSync(join(...path), 'utf8')) as T;
const record = (out: string): RunRecord => json(out, 'run.json');

const rows = Array.from({ length: 12 }, (_, label) => ({ label }));
/** A chain without a model: it counts. */
const counting = (change: (chain: Observable<unknown>, paths: Paths) => Observable<unknown> = (chain) => chain) =>
  pipeline({ epochs: 2, steps: Number.POSITIVE_INFINITY, batchSize: 4, color: 'green', loud: false }, ({ epochs: n, batchSize, ...paths }) =>
    change(memory(rows).pipe(epochs(n), shuffle(), batch(batchSize)), paths),
  );
const start = (out: string, more: Partial<RunOptions> = {}, chain = counting()) =>
  run(chain, { name: 'counting', backend: 'cpu', out, preparedFolder: join(root, 'prepared'), ...more });
/** A sink that reports figures at the end of the chain. */
const reporting = (figures: Record<string, unknown>, name: string) =>
  bounded<unknown, unknown>(recipe('tests', name), { name, per: 'batch' }, (context) => ({
    work: (item) => item,
    flush: () => {
      runOf(context).report(figures);
      return nothing;
    },
  }));

describe('run.json', () => {
  it('records options (no bound as "none"), seed, backend, prefetch, versions, process and times', async () => {
    const out = fresh();
    const { status, folder } = await start(out, { options: { batchSize: '3', loud: 'true' }, seed: 7, prefetch: 2 });
    expect({ status, folder }).toEqual({ status: 'done', folder: out });
    expect(record(out)).toMatchObject({
      pipeline: 'counting',
      status: 'done',
      options: { epochs: 2, steps: 'none', batchSize: 3, color: 'green', loud: true },
      seed: 7,
      backend: 'cpu',
      prefetch: 2,
      process: process.pid,
    });
    const { versions, started, ended, error } = record(out);
    expect(versions).toMatchObject({ node: process.version, platform: `${process.platform}-${process.arch}` });
    expect(versions.maskflow).toMatch(/^\d+\.\d+\.\d+/);
    expect(versions.tfjs).toMatch(/^\d+\.\d+\.\d+/);
    expect(Date.parse(ended as string)).toBeGreaterThanOrEqual(Date.parse(started));
    expect(error).toBeUndefined();
    expect(readdirSync(out).sort()).toEqual(['result.json', 'run.json']);
  });

  it('records the recipe of every stage and whom it feeds', async () => {
    const out = fresh();
    await start(out);
    const { recipe: stages } = record(out);
    expect(stages.map(({ name, feeds }) => [name, feeds])).toEqual([
      ['batch', []],
      ['shuffle', ['batch']],
      ['epochs', ['shuffle']],
      ['memory', ['epochs']],
    ]);
    expect(stages[0]).toMatchObject({ module: 'maskflow/operators', function: 'batch', options: { size: 4, last: 'keep' } });
    expect(stages[3]).toMatchObject({ module: 'maskflow/sources', options: { rows: 12 } });
  });

  it('says running while it runs, and done afterwards', async () => {
    const out = fresh();
    const seen = new Set<string>();
    await start(
      out,
      {},
      counting((chain) => chain.pipe(tap(() => seen.add(record(out).status)))),
    );
    expect([...seen]).toEqual(['running']);
    expect(record(out).status).toBe('done');
    expect(record(out).ended).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
  });

  it('says interrupted after a signal, and a run interrupted before it began has done nothing', async () => {
    const controller = new AbortController();
    controller.abort();
    const out = fresh();
    const result = await run(tiny(), { name: 'tiny', backend: 'cpu', out, signal: controller.signal });
    expect(result).toMatchObject({ status: 'interrupted', step: 0 });
    expect(record(out)).toMatchObject({ status: 'interrupted' });
    expect(existsSync(join(out, 'result.json'))).toBe(false);
    expect(existsSync(join(out, 'checkpoints'))).toBe(false);
    // It goes on from step 0, and says so.
    const said: string[] = [];
    expect(
      (await run(tiny(), { name: 'tiny', backend: 'cpu', out, resume: true, options: { steps: 100 }, say: (line) => said.push(line) }).catch(
        (error: Error) => error.message,
      )) as string,
    ).toMatch(/steps was "none"; got 100/);
    expect((await run(tiny(), { name: 'tiny', backend: 'cpu', out, resume: true, say: (line) => said.push(line) })).status).toBe('done');
    expect(said.join('\n')).toMatch(/No checkpoint was made yet: starting at step 0/);
    expect(record(out).started <= (record(out).ended as string)).toBe(true);
  });

  it('says failed with the error, which reaches the promise once, as one error that names its stage', async () => {
    const out = fresh();
    let thrown = 0;
    const failing = counting((chain) =>
      chain.pipe(
        tap(() => {
          thrown++;
          throw new MaskflowError({ stage: 'mine', option: 'ratio', rule: 'must lie in [0, 1]', value: 2 });
        }),
      ),
    );
    const problems: unknown[] = [];
    const unhandled = (error: unknown): unknown => problems.push(error);
    process.on('unhandledRejection', unhandled);
    await expect(start(out, {}, failing)).rejects.toThrow(/^mine\.ratio: must lie in \[0, 1\]; got 2\.$/);
    await new Promise((resolve) => setTimeout(resolve, 20));
    process.off('unhandledRejection', unhandled);
    expect({ thrown, problems }).toEqual({ thrown: 1, problems: [] });
    expect(record(out)).toMatchObject({ status: 'failed', error: 'mine.ratio: must lie in [0, 1]; got 2.' });
    expect(record(out).ended).toMatch(/^\d{4}-\d\d-\d\dT[\d:.]+Z$/);
    expect(existsSync(join(out, 'result.json'))).toBe(false);
    // Resumed and well: no trace of the error is left.
    await start(out, { resume: true });
    expect(record(out)).toMatchObject({ status: 'done' });
    expect(record(out).error).toBeUndefined();
  });

  it('says failed where an error follows a signal, and writes nothing once the run has ended', async () => {
    const controller = new AbortController();
    const out = fresh();
    const writes: string[] = [];
    let over = false;
    const files: Files = {
      ...nodeFiles,
      write: (path, content) => {
        if (over) writes.push(path);
        return nodeFiles.write(path, content);
      },
    };
    const steps = pipeline({ epochs: 3 }, (options) =>
      (tiny().build({ ...tiny().defaults, every: 1000, ...options }) as Observable<Stepped<AnyBatch>>).pipe(
        tap(({ report }) => {
          if (report.step !== 2) return;
          controller.abort();
          throw new Error('the disk went away');
        }),
      ),
    );
    await expect(run(steps, { name: 'steps', backend: 'cpu', out, signal: controller.signal, files })).rejects.toThrow(/the disk went away/);
    over = true;
    await new Promise((resolve) => setTimeout(resolve, 50));
    expect(writes).toEqual([]);
    expect(record(out)).toMatchObject({ status: 'failed' });
    expect(existsSync(join(out, 'checkpoints'))).toBe(false);
  });

  it('an error that is not ours keeps its text and its cause', async () => {
    const out = fresh();
    const cause = new TypeError('x is not a function');
    const problem = (await start(
      out,
      {},
      counting(() => throwError(() => cause)),
    ).catch((error: unknown) => error)) as MaskflowError;
    expect(problem).toBeInstanceOf(MaskflowError);
    expect(problem.message).toBe('run: x is not a function.');
    expect(problem.cause).toBe(cause);
    expect(record(out)).toMatchObject({ status: 'failed', error: 'run: x is not a function.' });
  });

  it('that cannot be read stops a resume, and is not overwritten', async () => {
    const out = fresh();
    mkdirSync(out);
    writeFileSync(join(out, 'run.json'), '{"pipeline": "coun');
    await expect(start(out)).rejects.toThrow(/run\.out: the folder holds a run already/);
    await expect(start(out, { resume: true })).rejects.toThrow(/^run: .*run\.json is not readable JSON\. Start in another folder/);
    expect(readFileSync(join(out, 'run.json'), 'utf8')).toBe('{"pipeline": "coun');
  });
});

describe('a run that does not begin', () => {
  const boom = pipeline({ epochs: 1 }, (): never => {
    throw new Error('no such camera');
  });

  it('leaves no folder: a pipeline that throws, a wrong option, an unknown backend', async () => {
    const out = fresh();
    await expect(run(boom, { name: 'boom', backend: 'cpu', out })).rejects.toThrow(/^pipeline: no such camera\.$/);
    await expect(start(out, { options: { epoch: 1 } })).rejects.toThrow(/pipeline\.epoch: there is no such option\. Did you mean epochs\?/);
    await expect(start(out, { options: { epochs: 'many' } })).rejects.toThrow(/pipeline\.epochs: must be a number; got "many"/);
    await expect(start(out, { backend: 'wsm' })).rejects.toThrow(/there is no such backend; got "wsm"\. Did you mean wasm\?/);
    await expect(start(out, { prefetch: 0 })).rejects.toThrow(/run\.prefetch: must be an integer of at least 1; got 0/);
    expect(existsSync(out)).toBe(false);
  });

  it('frees its engine', async () => {
    let disposed = 0;
    const executor = async (seed: number) => {
      const made = await createExecutor({ backend: 'cpu', seed });
      const dispose = made.dispose.bind(made);
      made.dispose = () => {
        disposed++;
        dispose();
      };
      return made;
    };
    await expect(run(boom, { name: 'boom', out: fresh(), executor })).rejects.toThrow(/no such camera/);
    await start(fresh(), { executor });
    expect(disposed).toBe(2);
  });

  it('refuses a folder in which another process is working, and takes over from one that is dead', async () => {
    const out = fresh();
    await start(out);
    const written = record(out);
    const other = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'], { stdio: 'ignore' });
    await new Promise((resolve) => other.once('spawn', resolve));
    // Until its image is loaded it is still a copy of this process, which is Node's too.
    writeFileSync(join(out, 'run.json'), JSON.stringify({ ...written, status: 'running', process: other.pid }));
    await expect(start(out, { resume: true })).rejects.toThrow(
      new RegExp(`run\\.resume: process ${other.pid} is working in this folder; got .*Wait for it or end it first`),
    );
    expect(record(out).process).toBe(other.pid);
    const exit = new Promise((resolve) => other.once('exit', resolve));
    other.kill('SIGKILL');
    await exit;
    expect((await start(out, { resume: true })).status).toBe('done');
    expect(record(out)).toMatchObject({ status: 'done', process: process.pid });
  });

  it('goes on where its folder was renamed', async () => {
    const [here, there] = [fresh(), fresh()];
    const chain = counting((counted, { out: path }) => counted.pipe(tap(() => path('x'))));
    const sinks = pipeline({ epochs: 1, steps: 2 }, (options) =>
      (tiny().build({ ...tiny().defaults, ...options }) as Observable<Stepped<Batch<unknown, Program>>>).pipe(
        tensorboard(options.out('.')),
        pictures(options.out('pictures')),
      ),
    );
    for (const [moved, more] of [
      [chain, { options: { epochs: 4 } }],
      [sinks, { options: { steps: 4 } }],
    ] as const) {
      await run(moved as typeof chain, { name: 'moved', backend: 'cpu', out: here });
      renameSync(here, there);
      expect((await run(moved as typeof chain, { name: 'moved', backend: 'cpu', out: there, resume: true, ...more })).status).toBe('done');
      rmSync(there, { recursive: true });
    }
  });

  it('a preparation that fails is a failed run that can be resumed', async () => {
    const out = fresh();
    let works = false;
    const chain = counting((_, { prepared }) =>
      arrow(
        prepared('sometimes', async (file) => {
          if (!works) throw new Error('no network');
          await drain(memory(rows).pipe(batch(12), arrowFile(file)));
        }),
      ).pipe(batch(6)),
    );
    await expect(start(out, {}, chain)).rejects.toThrow(/^prepared: the data could not be prepared: no network/);
    expect(record(out)).toMatchObject({ status: 'failed' });
    works = true;
    expect((await start(out, { resume: true }, chain)).status).toBe('done');
  });
});

describe('result.json', () => {
  it('merges figures of several stages, nested ones by name, later over earlier', async () => {
    const out = fresh();
    const { result } = await start(
      out,
      {},
      counting((chain) =>
        chain.pipe(
          reporting({ loss: 1, knn: 0.5, untrained: { knn: 0.1 }, list: [1, 2] }, 'first'),
          reporting({ loss: 0.25, linearProbe: 0.75, untrained: { linearProbe: 0.2 }, list: [3] }, 'second'),
        ),
      ),
    );
    const expected = { loss: 0.25, knn: 0.5, untrained: { knn: 0.1, linearProbe: 0.2 }, list: [3], linearProbe: 0.75 };
    expect(result).toEqual(expected);
    expect(json(out, 'result.json')).toEqual(expected);
  });

  it('holds the loss of the last step of a training', async () => {
    const out = fresh();
    const { result, step } = await run(tiny(), { name: 'tiny', backend: 'cpu', out, options: { steps: 3 } });
    const last = json<{ loss: number; step: number }>(out, 'result.json');
    const line = JSON.parse(readFileSync(join(out, 'metrics.jsonl'), 'utf8').trim().split('\n').at(-1) as string) as { loss: number; step: number };
    expect(step).toBe(3);
    expect(line).toMatchObject({ step: 3, loss: last.loss });
    expect(result).toEqual(last);
  });
});

describe('fingerprints of the data', () => {
  /** An Arrow file of these numbers. */
  const write = async (file: string, values: readonly number[]): Promise<string> => {
    rmSync(file, { force: true });
    const records = values.map((value) => ({ x: { data: Float32Array.of(value), shape: [1] } as Column<Float32Array> }));
    await drain(memory(records).pipe(batch(4), arrowFile(file)));
    return file;
  };
  const reading = (...files: string[]) => pipeline({ epochs: 1 }, ({ epochs: n }) => arrow(files).pipe(epochs(n), batch(4)));
  const values = [1, 2, 3, 4, 5, 6, 7, 8];

  it('of Arrow files are in run.json, equal for equal bytes under another time', async () => {
    const file = await write(join(root, 'equal.arrow'), values);
    const [one, two] = [fresh(), fresh()];
    await run(reading(file), { name: 'reading', backend: 'cpu', out: one });
    await new Promise((resolve) => setTimeout(resolve, 10));
    await write(file, values);
    await run(reading(file), { name: 'reading', backend: 'cpu', out: two });
    expect(Object.keys(record(one).data)).toEqual(['0.arrow']);
    expect(record(two).data).toEqual(record(one).data);
    // The same bytes may be written anew between two parts of one run.
    expect((await run(reading(file), { name: 'reading', backend: 'cpu', out: one, options: { epochs: 2 }, resume: true })).status).toBe('done');
  });

  it.each([
    ['other values of the same size', [1, 2, 3, 4, 5, 6, 7, 9]],
    ['more rows', [...values, 9]],
  ])('refuse a resume on %s', async (_, others) => {
    const file = await write(join(root, `replaced-${folders}.arrow`), values);
    const out = fresh();
    await run(reading(file), { name: 'reading', backend: 'cpu', out });
    await write(file, others);
    await expect(run(reading(file), { name: 'reading', backend: 'cpu', out, options: { epochs: 2 }, resume: true })).rejects.toThrow(
      /^arrow: the data is not what this run began with: its fingerprint was sha256:[0-9a-f]{64}; got "sha256:[0-9a-f]{64}"\. Bring the old data back, or start a new run: --out DIR\.$/,
    );
    await write(file, values);
    expect((await run(reading(file), { name: 'reading', backend: 'cpu', out, options: { epochs: 2 }, resume: true })).status).toBe('done');
  });

  it('stay in run.json when a resume dies before every source is open', async () => {
    const out = fresh();
    let broken = false;
    const one = (name: string, fingerprint: string) =>
      source<{ x: number }>(recipe('tests', name), async () => {
        if (broken && name === 'second') throw new Error('the disk is away');
        return { length: 4, fingerprint, at: (x) => ({ x }), close() {} };
      });
    const chain = pipeline({ epochs: 1 }, ({ epochs: n }) => merge(one('first', 'f').pipe(epochs(n)), one('second', 's').pipe(epochs(n))));
    await run(chain, { name: 'two', backend: 'cpu', out });
    expect(record(out).data).toEqual({ '0.first': 'f', '1.second': 's' });
    broken = true;
    await expect(run(chain, { name: 'two', backend: 'cpu', out, options: { epochs: 2 }, resume: true })).rejects.toThrow(/^second: the disk is away/);
    expect(record(out).data).toEqual({ '0.first': 'f', '1.second': 's' });
  });
});
