// Runs of a small text model over rows of ids, for evaluations at their end.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { MonoTypeOperatorFunction, Observable } from 'rxjs';
import { afterAll } from 'vitest';
import type { AnyBatch, Batch, Column } from '../../src/core/batch.js';
import { pipeline } from '../../src/core/pipeline.js';
import type { Stepped } from '../../src/core/run.js';
import { maskedLanguage } from '../../src/losses/maskedLanguage.js';
import { type TextEncoder, textEncoder } from '../../src/models/textEncoder.js';
import { type BatchOptions, batch } from '../../src/operators/batch.js';
import { corrupt } from '../../src/operators/corruptions/corrupt.js';
import { epochs } from '../../src/operators/epochs.js';
import { loss } from '../../src/operators/loss.js';
import { mask } from '../../src/operators/mask.js';
import { bernoulli } from '../../src/operators/masks/bernoulli.js';
import { model } from '../../src/operators/model.js';
import { adamw } from '../../src/optimizers/adamw.js';
import { type RunResult, run } from '../../src/run/run.js';
import { train } from '../../src/sinks/train.js';
import { memory } from '../../src/sources/memory.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-text-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folders = 0;

/** Ids: 0 is the mask, 1 a special token that begins every row, 2 … 7 words. */
export const vocabulary = 8;
export const encoder: TextEncoder = textEncoder({ vocabulary, width: 16, depth: 1, heads: 2, positions: 8, initializerRange: 0.1 });

type TokenBatches = Observable<Batch<{ readonly tokens: Column<Int32Array>; readonly special: Column<Uint8Array> }>>;

/** Batches of rows of equal length, the first token of each special. */
export function tokenBatches(rows: readonly (readonly number[])[], size = 4, options: BatchOptions = {}): TokenBatches {
  const samples = rows.map((row) => ({
    tokens: { data: Int32Array.from(row), shape: [row.length] } as Column<Int32Array>,
    special: { data: Uint8Array.from(row, (_, i) => (i === 0 ? 1 : 0)), shape: [row.length] } as Column<Uint8Array>,
  }));
  return memory(samples).pipe(batch(size, options)) as unknown as TokenBatches;
}

/** Trains `encoder` on batches of all rows, four times each, with a third of their words hidden, with these evaluations at the end. */
export function textRun(
  rows: readonly (readonly number[])[],
  evaluations: readonly MonoTypeOperatorFunction<Stepped<AnyBatch>>[],
  { steps = 30 }: { readonly steps?: number } = {},
): Promise<RunResult> {
  const chain = pipeline({}, () => {
    const samples = [...rows, ...rows, ...rows, ...rows].map((row) => ({
      tokens: { data: Int32Array.from(row), shape: [row.length] } as Column<Int32Array>,
      special: { data: Uint8Array.from(row, (_, i) => (i === 0 ? 1 : 0)), shape: [row.length] } as Column<Uint8Array>,
    }));
    const trained = memory(samples).pipe(
      epochs(steps),
      batch(samples.length),
      mask(bernoulli({ ratio: 0.33 })),
      corrupt({ maskId: 0, vocabulary, mask: 1, random: 0 }),
      model(encoder),
      loss(maskedLanguage()),
      train(adamw({ learningRate: 0.01 })),
    ) as unknown as Observable<Stepped<AnyBatch>>;
    return evaluations.reduce((stream, operator) => stream.pipe(operator), trained);
  });
  return run(chain, { name: 'text', backend: 'cpu', out: join(root, String(folders++)) });
}
