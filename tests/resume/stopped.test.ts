import { mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { type RunOptions, run } from '../../src/run/run.js';
import { presentBackends } from '../backends/presentBackends.js';
import { type DyingFiles, dyingFiles } from './dyingFiles.js';
import { leftovers } from './leftovers.js';
import { tiny } from './tiny.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-resume-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;
const fresh = (): string => join(root, String(folders++));
const start = (out: string, more: Partial<RunOptions> = {}, read?: (id: number) => void) => run(tiny(read), { name: 'tiny', backend: 'cpu', out, ...more });
/** The engine of reference, and the compiled one where it is there. What tests engines alone is engines.test.ts. */
const engines = (await presentBackends({ only: ['onnx', 'cpu'] })).map(([name]) => name);

describe('resume', () => {
  it.each(['keep', 'filter'])(
    'is exact when stopped before and after every file operation of a checkpoint (samples dropped by %s)',
    async (drop) => {
      const options = { drop, every: '4', epochs: '2' };
      const whole = fresh();
      const counted = dyingFiles();
      await start(whole, { options, files: counted });
      const expected = leftovers(whole);
      // The operations of the second checkpoint, which also prunes the first.
      const first = counted.log.findIndex((line) => line.includes('.unfinished-step-00000008'));
      const next = counted.log.findIndex((line) => line.includes('.unfinished-step-00000012'));
      expect(next - first).toBeGreaterThan(14);
      const trials = Array.from({ length: next - first }, (_, i) => first + i).flatMap((at) => (['before', 'after'] as const).map((when) => ({ at, when })));
      for (const { at, when } of trials) {
        const out = fresh();
        const label = `${when} ${counted.log[at]}`;
        await expect(start(out, { options, files: dyingFiles(at, when) }), label).rejects.toThrow(/died/);
        const complete = readdirSync(join(out, 'checkpoints')).filter((entry) => entry.startsWith('step-'));
        for (const name of complete) expect(readdirSync(join(out, 'checkpoints', name)), label).toHaveLength(4);
        await start(out, { options, resume: true });
        expect(leftovers(out), label).toEqual(expected);
        expect(
          readdirSync(join(out, 'checkpoints')).filter((entry) => entry.startsWith('.')),
          label,
        ).toEqual([]);
      }
    },
    120_000,
  );

  it.each(engines)('is exact when stopped, resumed, stopped and resumed again, for any prefetch, with accumulation, on %s', async (backend) => {
    const options = { accumulate: '3', every: '1' };
    const whole = fresh();
    await start(whole, { options, backend });
    const out = fresh();
    const dieAfter = async (checkpoint: string, resume: boolean, prefetch: number): Promise<void> => {
      const files: DyingFiles = dyingFiles();
      const rename = files.rename;
      let dead = false;
      const dying: DyingFiles = {
        ...files,
        rename: async (from, to) => {
          if (dead) throw new Error('dead');
          await rename(from, to);
          if (to.endsWith(checkpoint)) {
            dead = true;
            throw new Error('died');
          }
        },
        write: async (path, content) => {
          if (dead) throw new Error('dead');
          await files.write(path, content);
        },
      };
      await expect(start(out, { options, resume, prefetch, files: dying, backend })).rejects.toThrow(/died/);
    };
    await dieAfter('step-00000002', false, 8);
    await dieAfter('step-00000004', true, 1);
    await start(out, { options, resume: true, prefetch: 3, backend });
    expect(leftovers(out)).toEqual(leftovers(whole));
  });

  it('reads no more than what was held and prefetched before the first new step', async () => {
    const out = fresh();
    const options = { every: '3' };
    await expect(
      start(out, {
        options,
        files: {
          ...dyingFiles(),
          rename: async (from, to) => {
            await dyingFiles().rename(from, to);
            if (to.endsWith('checkpoints/last') && readFileSync(to, 'utf8').includes('12')) throw new Error('died');
          },
        },
      }),
    ).rejects.toThrow(/died/);
    const state = JSON.parse(readFileSync(join(out, 'checkpoints/step-00000012/state.json'), 'utf8')) as {
      cursor: { sources: { next: number; open: [number, number][] }[] };
    };
    const { next, open } = state.cursor.sources[0] as { next: number; open: [number, number][] };
    const reads: number[] = [];
    const atStep: number[] = [];
    const pipeline = tiny((id) => reads.push(id));
    await run(pipeline, {
      name: 'tiny',
      backend: 'cpu',
      out,
      options,
      resume: true,
      prefetch: 1,
      say: () => {},
      executor: async (seed) => {
        const { createExecutor } = await import('../../src/backends/index.js');
        const executor = await createExecutor({ backend: 'cpu', seed });
        const step = executor.step.bind(executor);
        executor.step = (...given) => {
          atStep.push(reads.length);
          return step(...given);
        };
        return executor;
      },
    });
    // Open below the cursor: the partial groups. Then at most one batch of 7 kept samples per group, 10/7 read for each kept, and one in hand.
    const held = open.reduce((sum, [from, to]) => sum + to - from, 0);
    expect(next).toBeGreaterThan(80);
    expect(atStep[0]).toBeLessThanOrEqual(held + Math.ceil((2 * 7 * 10) / 7) + 10);
    expect(reads.length).toBeLessThanOrEqual(180 - next + held + 1);
  });

  it('on a finished run changes nothing; more epochs go on; other options, seeds, engines and chains are refused', async () => {
    const out = fresh();
    const options = { epochs: '1' };
    await start(out, { options });
    const before = readFileSync(join(out, 'run.json'), 'utf8');
    const said: string[] = [];
    expect((await start(out, { options, resume: true, say: (line) => said.push(line) })).status).toBe('done');
    expect(said.join()).toMatch(/is done; nothing to resume/);
    expect(readFileSync(join(out, 'run.json'), 'utf8')).toBe(before);
    await expect(start(out, { options })).rejects.toThrow(/run\.out: the folder holds a run already.*--resume.*--out DIR/);
    await expect(start(out, { options: { epochs: '2', drop: 'filter' }, resume: true })).rejects.toThrow(
      /run\.drop: a resumed run must go on with what it began with: drop was "keep"; got "filter"/,
    );
    await expect(start(out, { options: { epochs: '2' }, seed: 5, resume: true })).rejects.toThrow(/run\.seed/);
    await expect(start(out, { options: { epochs: '2' }, resume: true, backend: 'wasm' })).rejects.toThrow(/run\.backend/);
    await expect(run(tiny(undefined, 80), { name: 'tiny', backend: 'cpu', out, options: { epochs: '2' }, resume: true })).rejects.toThrow(
      /tinyImages: a resumed run must go on with the chain it began with/,
    );
    expect(readFileSync(join(out, 'run.json'), 'utf8')).toBe(before);
    expect((await start(out, { options: { epochs: '2' }, resume: true })).step).toBeGreaterThan(10);
    expect(JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))).toMatchObject({ status: 'done', options: { epochs: 2 } });
  });

  it('without a checkpoint starts at step 0 and says so; a damaged checkpoint is named', async () => {
    const out = fresh();
    await expect(start(out, { files: dyingFiles(6) })).rejects.toThrow(/died/);
    const said: string[] = [];
    await start(out, { resume: true, say: (line) => said.push(line) });
    expect(said.join()).toMatch(/No checkpoint was made yet: starting at step 0/);
    const damaged = fresh();
    await start(damaged, { options: { epochs: '1' } });
    const last = readFileSync(join(damaged, 'checkpoints/last'), 'utf8').trim();
    const model = join(damaged, 'checkpoints', last, 'model.safetensors');
    writeFileSync(model, readFileSync(model).subarray(0, 100));
    await expect(start(damaged, { options: { epochs: '2' }, resume: true })).rejects.toThrow(
      /run\.resume: the checkpoint file .*model\.safetensors cannot be read.*Write the name of another folder/,
    );
    await expect(start(fresh(), { resume: true })).rejects.toThrow(/there is no run to go on with/);
  });

  it('an interrupted run saves a checkpoint after what is in flight and goes on exactly', async () => {
    const whole = fresh();
    await start(whole);
    const out = fresh();
    const controller = new AbortController();
    let reads = 0;
    const interrupted = await run(
      tiny(() => void (++reads === 100 && controller.abort())),
      { name: 'tiny', backend: 'cpu', out, signal: controller.signal },
    );
    expect(interrupted.status).toBe('interrupted');
    expect(interrupted.step).toBeGreaterThan(4);
    expect(JSON.parse(readFileSync(join(out, 'run.json'), 'utf8'))).toMatchObject({ status: 'interrupted' });
    expect(readFileSync(join(out, 'checkpoints/last'), 'utf8')).toMatch(new RegExp(`${interrupted.step}\n$`));
    await start(out, { resume: true });
    expect(leftovers(out)).toEqual(leftovers(whole));
  });

  it.each(engines)('losses, weights and cursor are the same for prefetch 1 and 8, on %s', async (backend) => {
    const [one, eight] = [fresh(), fresh()];
    await start(one, { prefetch: 1, backend });
    await start(eight, { prefetch: 8, backend });
    expect(leftovers(eight)).toEqual(leftovers(one));
  });
});
