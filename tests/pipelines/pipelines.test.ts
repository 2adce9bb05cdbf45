// Every file in pipelines/ on its real data: it loads, has the common options, is described, and leaves a whole run folder.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filter } from 'rxjs';
import { afterAll, describe, expect, it } from 'vitest';
import { drain } from '../../src/core/demand/index.js';
import type { Pipeline } from '../../src/core/pipeline.js';
import { batch } from '../../src/operators/batch.js';
import type { RunRecord } from '../../src/run/folder.js';
import { describePipeline } from '../../src/run/describe.js';
import { run } from '../../src/run/run.js';
import { arrowFile } from '../../src/sinks/arrowFile.js';
import { arrow } from '../../src/sources/arrow.js';

const folder = fileURLToPath(new URL('../../pipelines/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
const load = async (file: string): Promise<Pipeline> => ((await import(join(folder, file))) as { default: Pipeline }).default;

const root = mkdtempSync(join(tmpdir(), 'maskflow-pipelines-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
// The digits as the pipelines prepare them, once for all of them; and every eighth of them, for runs that are to be short.
const whole = join(root, 'whole');
const few = join(root, 'few');

async function everyEighth(): Promise<void> {
  mkdirSync(few, { recursive: true });
  for (const name of readdirSync(whole)) {
    if (existsSync(join(few, name))) continue;
    await drain(
      arrow(join(whole, name)).pipe(
        filter(({ origin }) => origin.id % 8 === 0),
        batch(100),
        arrowFile(join(few, name)),
      ),
    );
  }
}

it('there are pipelines', () => {
  expect(files).toEqual(expect.arrayContaining(['colormae-mnist.ts', 'mae-mnist.ts']));
});

describe.each(files)('pipelines/%s', (file) => {
  it('has the options that every pipeline has', async () => {
    const { kind, defaults } = await load(file);
    expect(kind).toBe('maskflow.pipeline');
    expect(defaults).toMatchObject({ epochs: expect.any(Number) as number, steps: Number.POSITIVE_INFINITY, batchSize: expect.any(Number) as number });
  });

  it('is described: from a source to the last sink, with parameters', async () => {
    const { stages, total, trainable } = await describePipeline(await load(file), { preparedFolder: whole, options: { batchSize: 32 } });
    expect(stages.map(({ name }) => name)).toEqual(expect.arrayContaining(['batch', 'model', 'loss', 'train', 'checkpoint', 'metrics', 'knn', 'linearProbe']));
    expect(stages.find(({ name }) => name === 'mask')?.emits?.columns.mask).toMatch(/^uint8 \[32, /);
    expect(trainable).toBeGreaterThan(10_000);
    expect(total).toBeGreaterThan(trainable);
  });

  it('run for two steps leaves metrics, checkpoint, events, a picture and figures beside those of untrained weights', async () => {
    const out = join(root, file);
    await describePipeline(await load(file), { preparedFolder: whole });
    await everyEighth();
    const { status, step } = await run(await load(file), { name: file, out, preparedFolder: few, backend: 'wasm', options: { steps: 2, batchSize: 32 } });
    expect({ status, step }).toEqual({ status: 'done', step: 2 });
    const read = (...path: string[]): string => readFileSync(join(out, ...path), 'utf8');
    const entries = readdirSync(out);
    expect(entries.filter((entry) => !entry.startsWith('events.out.tfevents')).sort()).toEqual([
      'checkpoints',
      'metrics.jsonl',
      'pictures',
      'result.json',
      'run.json',
    ]);
    expect(entries.filter((entry) => entry.startsWith('events.out.tfevents'))).toHaveLength(1);
    expect(
      read('metrics.jsonl')
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { step: number }).step),
    ).toEqual([1, 2]);
    expect(read('checkpoints', 'last')).toBe('step-00000002\n');
    expect(readdirSync(join(out, 'checkpoints', 'step-00000002')).sort()).toEqual(['config.json', 'model.safetensors', 'state.json', 'training.safetensors']);
    const pictures = readdirSync(join(out, 'pictures'));
    expect(pictures.length).toBeGreaterThan(0);
    for (const picture of pictures) expect(statSync(join(out, 'pictures', picture)).size).toBeGreaterThan(1000);
    const record = JSON.parse(read('run.json')) as RunRecord;
    expect(record).toMatchObject({ status: 'done', backend: 'wasm', options: { steps: 2, batchSize: 32 } });
    expect(Object.values(record.data)).toEqual([expect.stringMatching(/^sha256:/)]);
    const share = expect.toSatisfy((value: number) => value > 0.3 && value <= 1) as number;
    const result = JSON.parse(read('result.json')) as { loss: number };
    expect(result).toEqual({ loss: expect.any(Number) as number, knn: share, linearProbe: share, untrained: { knn: share, linearProbe: share } });
    expect(result.loss).toBeGreaterThan(0);
  }, 120_000);
});
