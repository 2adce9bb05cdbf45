// What the chain costs over a bare loop of the same training step. Goal: at most 1.02 × the loop. The main job (digits from
// an Arrow file, ColorMAE masks, the small ViT-MAE, AdamW) runs in four ways, one after the other in every round:
//   bare   a for-loop of executor.step on batches that are ready in memory, masks and index plans included
//   pure   the same loop, each batch made just before its step by the pure functions behind the stages
//   chain  the recipe through run(), no sinks
//   sinks  the chain with metrics, checkpoint and progress behind it
// All take the same steps on the same batches with the same learning rates: their losses must be equal, bit for bit. Steps are
// many, for what a run costs once (opening the file, two or three large collections of garbage after it) is no cost of the
// chain: with 20 timed steps it looked like 5 % of them.
// Run: npm run bench -- overhead. BENCH_BACKEND=cpu chooses another backend, BENCH_STEPS and BENCH_ROUNDS the length,
// BENCH_PREFETCH the batches in flight, and BENCH_WAYS=chain some of the ways (for profiles; bare is always one).
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  type AnyBatch,
  type Executor,
  type Origin,
  type Program,
  type Sample,
  type StepReport,
  adamw,
  arrow,
  batch,
  checkpoint,
  collate,
  colorNoise,
  cosine,
  drain,
  epochOrder,
  epochs,
  fold,
  image,
  loss,
  mask,
  metrics,
  model,
  patchReconstruction,
  patches,
  patchify,
  pipeline,
  progress,
  rootKey,
  run,
  sampleKey,
  shuffle,
  train,
  vitMae,
} from 'maskflow';
import { createExecutor } from 'maskflow/backends';
import { tap } from 'rxjs';
import { type Digit, mnistDigits } from '../pipelines/data/mnistDigits.js';
import { line } from './support/line.js';
import { median, quantile } from './support/quantile.js';

const backend = process.env.BENCH_BACKEND ?? 'wasm';
const steps = Number(process.env.BENCH_STEPS ?? 160);
const rounds = Number(process.env.BENCH_ROUNDS ?? 5);
const prefetch = process.env.BENCH_PREFETCH === undefined ? {} : { prefetch: Number(process.env.BENCH_PREFETCH) };
/** Steps at the beginning that are not timed: first allocations, first compilations, and the filling of the prefetch. */
const warm = 4;
const seed = 0;
const batchSize = 128;
const patch = 7;
const clip = 1;
const epochsOf = Math.ceil(steps / 60);

const folder = mkdtempSync(join(tmpdir(), 'maskflow-bench-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const file = join(folder, 'digits.arrow');
await mnistDigits('train')(file);

const encoder = vitMae({ width: 48, depth: 2, heads: 4, decoder: { width: 32, depth: 1, heads: 4 } });
const rule = colorNoise({ color: 'green', ratio: 0.75 });
const optimizer = adamw({ learningRate: cosine({ peak: 2e-3, warmup: 50 }) });

/** What a way of running leaves: seconds of the timed steps by the clock and of the processor, and the loss of every step. */
interface Outcome {
  readonly clock: number;
  readonly processor: number;
  readonly losses: readonly number[];
}

/** Seconds of processor time: of the main thread alone where the system tells (Linux), else of all threads. */
const mainThread = `/proc/self/task/${process.pid}/schedstat`;
const onMainThread = existsSync(mainThread);
function processorTime(): number {
  if (onMainThread) return Number(readFileSync(mainThread, 'utf8').split(' ')[0]) / 1e9;
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e6;
}

/** The timer of one run: `read` gives the seconds since `start`. */
class Timer {
  #clock = 0;
  #processor = 0;
  start(): void {
    this.#processor = processorTime();
    this.#clock = performance.now();
  }
  read(): { readonly clock: number; readonly processor: number } {
    return { clock: (performance.now() - this.#clock) / 1000, processor: processorTime() - this.#processor };
  }
}

type Recorded = AnyBatch & { readonly program: Program<'loss'>; readonly report: StepReport };

let runs = 0;
/** The chain, through run(); `record` is told of every finished step. */
async function chain(withSinks: boolean, record: (step: Recorded) => void = () => {}): Promise<Outcome> {
  const losses: number[] = [];
  const timer = new Timer();
  let taken = timer.read();
  const recipe = pipeline({ steps }, ({ steps: n, out }) => {
    const trained = arrow<Digit>(file)
      .pipe(epochs(epochsOf), shuffle(), image({ size: 28, channels: 1 }), batch(batchSize), patchify(patch), mask(rule))
      .pipe(model(encoder), loss(patchReconstruction({ normalize: false })), train(optimizer, { clip, steps: n }));
    const sunk = withSinks
      ? trained.pipe(
          metrics(out('metrics.jsonl')),
          checkpoint(out('checkpoints'), { every: Math.ceil(steps / 2) }),
          progress({ screen: { write: () => true } }),
        )
      : trained;
    return sunk.pipe(
      tap((step) => {
        taken = timer.read();
        losses.push(step.report.loss);
        if (step.report.step === warm) timer.start();
        record(step as unknown as Recorded);
      }),
    );
  });
  await run(recipe, { name: 'overhead', backend, seed, out: join(folder, String(runs++)), ...prefetch });
  return { ...taken, losses };
}

/** A loop of steps on what `make` gives for each, at the chain's learning rates. */
async function loop(rates: readonly number[], make: (step: number) => AnyBatch & { readonly program: Program<'loss'> }): Promise<Outcome> {
  const executor: Executor = await createExecutor({ backend, seed });
  const losses: number[] = [];
  const timer = new Timer();
  for (let step = 1; step <= steps; step++) {
    const given = make(step);
    const { sum, count } = await executor.step(given.program, given, optimizer, { learningRate: rates[step - 1] as number, step }, { clip });
    losses.push(sum / count);
    if (step === warm) timer.start();
  }
  const taken = timer.read();
  executor.dispose();
  return { ...taken, losses };
}

// 1. The chain once, unmeasured: it warms everything up and gives the batches, the learning rates and the losses to be met.
const recorded: Recorded[] = [];
const expected = await chain(false, (step) => recorded.push(step));
const rates = recorded.map(({ report }) => report.learningRate);
const program = (recorded[0] as Recorded).program;

// 2. What the loop over the pure functions starts from: the digits in memory, uint8, and the order of the chain.
const digits: Sample<Digit>[] = [];
await drain(arrow<Digit>(file), {}, (digit) => digits.push(digit));
const grey = Float32Array.from({ length: 256 }, (_, value) => value / 255);
const toGrey = (pixels: Uint8Array): Float32Array => {
  const data = new Float32Array(pixels.length);
  for (let i = 0; i < pixels.length; i++) data[i] = grey[pixels[i] as number] as number;
  return data;
};
const orders = Array.from({ length: epochsOf }, (_, epoch) => epochOrder(fold(fold(rootKey(seed), 'order'), 0), epoch, digits.length, true));
const maskKey = fold(rootKey(seed), 'mask');
const prepare = (step: number): AnyBatch & { readonly program: Program<'loss'> } => {
  // The last batch of an epoch is short.
  const perEpoch = Math.ceil(digits.length / batchSize);
  const [epoch, within] = [Math.floor((step - 1) / perEpoch), ((step - 1) % perEpoch) * batchSize];
  const rows = Math.min(batchSize, digits.length - within);
  const samples = Array.from({ length: rows }, (_, row) => {
    const id = (orders[epoch] as (k: number) => number)(within + row);
    const { fields } = digits[id] as Sample<Digit>;
    const origin = { source: 0, id, epoch, position: epoch * digits.length + within + row };
    return { fields: { ...fields, image: { data: toGrey(fields.image.data), shape: fields.image.shape } }, origin };
  });
  const gathered = collate(samples);
  const { data, shape } = gathered.columns.image as { data: Float32Array; shape: readonly number[] };
  const grid = [28 / patch, 28 / patch];
  const length = grid[0]! * grid[1]!;
  const hidden = new Uint8Array(rows * length);
  gathered.origins.forEach((origin: Origin, row: number) => hidden.set(rule.hide({ grid, length }, sampleKey(maskKey, origin)), row * length));
  const columns = {
    ...gathered.columns,
    tokens: { data: patches(data, shape, patch), shape: [rows, length, patch * patch] },
    mask: { data: hidden, shape: [rows, ...grid] },
  };
  const masked: AnyBatch = { ...gathered, columns, grid };
  return { ...masked, columns: { ...columns, ...program.prepare?.(masked) }, program };
};

// 3. The rounds. The order turns, so that no way always runs at the same place of a round.
const ways: Readonly<Record<string, () => Promise<Outcome>>> = {
  bare: () => loop(rates, (step) => recorded[step - 1] as Recorded),
  pure: () => loop(rates, prepare),
  chain: () => chain(false),
  sinks: () => chain(true),
};
const names = Object.keys(ways).filter((name) => name === 'bare' || (process.env.BENCH_WAYS ?? name).split(',').includes(name));
const outcomes: Record<string, Outcome[]> = Object.fromEntries(names.map((name) => [name, []]));
for (let round = 0; round < rounds; round++) {
  for (let i = 0; i < names.length; i++) {
    const name = names[(i + round) % names.length] as string;
    globalThis.gc?.();
    const outcome = await (ways[name] as () => Promise<Outcome>)();
    assert.deepEqual(outcome.losses, expected.losses, `${name} must take the same steps as the chain`);
    outcomes[name]?.push(outcome);
  }
}

const timed = steps - warm;
const bare = outcomes.bare as Outcome[];
const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
for (const name of names) {
  const these = outcomes[name] as Outcome[];
  const over = (of: 'clock' | 'processor', those: readonly Outcome[]): number =>
    rounded(median(these.map((one) => one[of])) / median(those.map((one) => one[of])), 4);
  const pairs = these.map(({ clock }, round) => clock / (bare[round] as Outcome).clock);
  const clock = median(these.map((one) => one.clock));
  line('overhead', {
    way: name,
    backend,
    overBare: over('clock', bare),
    overBareQuartiles: [0.25, 0.75].map((q) => rounded(quantile(pairs, q), 4)),
    overBareProcessor: over('processor', bare),
    ...(outcomes.pure === undefined ? {} : { overPure: over('clock', outcomes.pure), overPureProcessor: over('processor', outcomes.pure) }),
    processorTimeOf: onMainThread ? 'main thread' : 'all threads',
    millisecondsPerStep: rounded((clock / timed) * 1000, 2),
    samplesPerSecond: rounded((timed * batchSize) / clock, 1),
    batchSize,
    steps: timed,
    rounds,
    ...(name === 'chain' ? { goal: 1.02 } : {}),
    ...(name === 'sinks' ? { checkpoints: 1 } : {}),
  });
}
