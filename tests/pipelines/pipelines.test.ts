// Every file in pipelines/ on a part of its real data: it loads, has the common options, is described, and leaves a whole run
// folder with its figures. A new pipeline is one more line of `table`.
import { mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { filter } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { brownSentences } from '../../pipelines/data/brown.js';
import { mnistDigits } from '../../pipelines/data/mnistDigits.js';
import { parallelMessages } from '../../pipelines/data/parallelMessages.js';
import { drain } from '../../src/core/demand/index.js';
import type { OptionValue, Pipeline } from '../../src/core/pipeline.js';
import { textEncoder } from '../../src/models/textEncoder.js';
import { batch } from '../../src/operators/batch.js';
import { describePipeline } from '../../src/run/describe.js';
import type { RunRecord } from '../../src/run/folder.js';
import { run } from '../../src/run/run.js';
import { arrowFile } from '../../src/sinks/arrowFile.js';
import { modelFolder } from '../../src/sinks/modelFolder.js';
import { arrow } from '../../src/sources/arrow.js';
import { tokenizer } from '../../src/sources/tokenizer.js';

interface Expected {
  /** Options of the short run, beside two steps: small, so that it is over in a second or two. */
  readonly options: Readonly<Record<string, OptionValue>>;
  readonly backend: string;
  /** Figures in result.json, each of a stage of that name unless `stages` says otherwise; a share of 1 where `share` is set. */
  readonly figures: readonly string[];
  readonly stages?: readonly string[];
  readonly share?: readonly [above: number, most: number];
  /** Whose figures stand beside those of the trained weights. */
  readonly beside: readonly string[];
  /** What the run folder holds beside what every run leaves. */
  readonly leaves: readonly string[];
}

const digits: Expected = {
  options: { batchSize: 32 },
  backend: 'wasm',
  figures: ['knn', 'linearProbe'],
  share: [0.3, 1],
  beside: ['untrained'],
  leaves: ['pictures'],
};
const text: Expected = {
  options: { batchSize: 8, length: 32, vocabulary: 300, width: 16, depth: 1 },
  backend: 'cpu',
  figures: ['maskedAccuracy', 'pseudoPerplexity'],
  beside: ['untrained', 'unigram'],
  leaves: ['tokenizer.json'],
};

const table: Readonly<Record<string, Expected>> = {
  'colormae-mnist.ts': digits,
  'diffusion-brown.ts': { ...text, figures: ['nelbo'], stages: ['nelbo', 'samples'], leaves: ['samples.jsonl', 'tokenizer.json'] },
  // Its sizes are no options, and are too much for plain JavaScript.
  'lem-brown.ts': { ...text, options: { batchSize: 8, length: 24 }, backend: 'onnx', leaves: [] },
  'mae-mnist.ts': digits,
  'mlm-brown.ts': text,
  'tlm-parallel.ts': { ...text, figures: ['maskedAccuracy', 'wrongTranslation'] },
};

/** What pipelines prepare, and which share of it a short run gets: one in so many. */
const data = {
  'mnist-train': [mnistDigits('train'), 8],
  'mnist-test': [mnistDigits('test'), 8],
  'brown-train': [brownSentences('train'), 20],
  'brown-test': [brownSentences('test'), 400],
  'messages-train': [parallelMessages('train'), 10],
  'messages-test': [parallelMessages('test'), 10],
} as const;

const folder = fileURLToPath(new URL('../../pipelines/', import.meta.url));
const files = readdirSync(folder).filter((name) => name.endsWith('.ts'));
const load = async (file: string): Promise<Pipeline> => ((await import(join(folder, file))) as { default: Pipeline }).default;

const root = mkdtempSync(join(tmpdir(), 'maskflow-pipelines-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
const few = join(root, 'few');

beforeAll(async () => {
  mkdirSync(few);
  for (const [name, [make, nth]] of Object.entries(data)) {
    const whole = join(root, `${name}.arrow`);
    await make(whole);
    const part = arrow(whole).pipe(
      filter(({ origin }) => origin.id % nth === 0),
      batch(100),
      arrowFile(join(few, `${name}.arrow`)),
    );
    await drain(part);
    rmSync(whole);
  }
}, 120_000);

it('every pipeline has its line in the table', () => {
  expect(files).toContain('colormae-mnist.ts');
  expect(Object.keys(table)).toEqual(expect.arrayContaining(files));
});

describe.each(files.map((file) => [file, table[file] ?? text] as const))('pipelines/%s', (file, expected) => {
  const { options, backend, figures, stages: evaluations = figures, beside, leaves } = expected;

  it('has the options that every pipeline has', async () => {
    const { kind, defaults } = await load(file);
    expect(kind).toBe('maskflow.pipeline');
    expect(defaults).toMatchObject({ epochs: expect.any(Number) as number, steps: Number.POSITIVE_INFINITY, batchSize: expect.any(Number) as number });
    expect(Object.keys(defaults)).toEqual(expect.arrayContaining(Object.keys(options)));
  });

  it('is described: from a source to the last sink, with parameters', async () => {
    const { stages, total, trainable } = await describePipeline(await load(file), { preparedFolder: few, options });
    const names = stages.map(({ name }) => name);
    expect(names).toEqual(expect.arrayContaining(['mask', 'model', 'loss', 'train', 'checkpoint', 'metrics', ...evaluations]));
    expect(stages.find(({ name }) => name === 'mask')?.emits?.columns.mask).toMatch(new RegExp(`^uint8 \\[${options.batchSize}, `));
    expect(trainable).toBeGreaterThan(5000);
    expect(total).toBeGreaterThanOrEqual(trainable);
  });

  it('run for two steps leaves metrics, checkpoint, events and figures beside those of untrained weights', async () => {
    const out = join(root, file);
    const { status, step } = await run(await load(file), { name: file, out, preparedFolder: few, backend, options: { ...options, steps: 2 } });
    expect({ status, step }).toEqual({ status: 'done', step: 2 });
    const read = (...path: string[]): string => readFileSync(join(out, ...path), 'utf8');
    const entries = readdirSync(out);
    const events = entries.filter((entry) => entry.startsWith('events.out.tfevents'));
    expect(events).toHaveLength(1);
    expect(entries.filter((entry) => !events.includes(entry)).sort()).toEqual(['checkpoints', 'metrics.jsonl', 'result.json', 'run.json', ...leaves].sort());
    expect(
      read('metrics.jsonl')
        .trim()
        .split('\n')
        .map((line) => (JSON.parse(line) as { step: number }).step),
    ).toEqual([1, 2]);
    const saved = ['checkpoints', 'step-00000002'] as const;
    expect(read('checkpoints', 'last')).toBe(`${saved[1]}\n`);
    expect(readdirSync(join(out, ...saved)).sort()).toEqual(['config.json', 'model.safetensors', 'state.json', 'training.safetensors']);
    const record = JSON.parse(read('run.json')) as RunRecord;
    expect(record).toMatchObject({ status: 'done', backend, options: { ...options, steps: 2 } });
    expect(Object.values(record.data)).toEqual([expect.stringMatching(/^sha256:/)]);

    const [above, most] = expected.share ?? [0, Number.MAX_VALUE];
    const within = expect.toSatisfy((value: number) => value >= above && value <= most) as number;
    const each = Object.fromEntries(figures.map((figure) => [figure, within]));
    const result = JSON.parse(read('result.json')) as { loss: number };
    expect(result).toEqual({ loss: expect.any(Number) as number, ...each, ...Object.fromEntries(beside.map((name) => [name, each])) });
    expect(result.loss).toBeGreaterThan(0);

    if (leaves.includes('pictures')) {
      const pictures = readdirSync(join(out, 'pictures'));
      expect(pictures.length).toBeGreaterThan(0);
      for (const picture of pictures) expect(statSync(join(out, 'pictures', picture)).size).toBeGreaterThan(1000);
    }
    if (leaves.includes('tokenizer.json')) {
      // Model and tokenizer are a pair, and others can open both.
      const words = await tokenizer(join(out, 'tokenizer.json'));
      expect(textEncoder({ from: modelFolder(join(out, ...saved)) }).vocabulary).toBe(words.vocabulary);
    }
  }, 120_000);
});
