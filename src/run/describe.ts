// What a pipeline would do: its stages, the columns and shapes that flow between them, the model's parameters. Found by
// running it up to its first training step, which is not performed, in a folder that is removed again.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createExecutor } from '../backends/index.js';
import { type AnyBatch, type Sample, dtypeOf, isColumn, sizeOf } from '../core/batch.js';
import { Gate, type Place, enterRun, within } from '../core/demand/index.js';
import { MaskflowError, inStage, show } from '../core/errors.js';
import { type OptionValue, type Pipeline, resolveOptions } from '../core/pipeline.js';
import { type Executor, type Parameters, type Program, signatureOf } from '../core/program.js';
import type { Run } from '../core/run.js';
import { nodeFiles } from '../sinks/nodeFiles.js';
import { Prepared } from './prepared.js';
import { plain } from './resume.js';

export interface StageDescription {
  readonly name: string;
  readonly function: string;
  readonly options: Readonly<Record<string, unknown>>;
  readonly feeds: readonly string[];
  /** What leaves it: `sample` or `batch`, and each field or column as text (`float32 [128, 16, 49]`); undefined behind the training step. */
  readonly emits?: { readonly kind: 'sample' | 'batch'; readonly columns: Readonly<Record<string, string>>; readonly grid?: readonly number[] };
}

export interface PipelineDescription {
  readonly options: Readonly<Record<string, unknown>>;
  /** From the source to the sink. */
  readonly stages: readonly StageDescription[];
  readonly parameters: readonly { readonly name: string; readonly shape: readonly number[]; readonly trainable: boolean }[];
  readonly trainable: number;
  readonly total: number;
}

/** Describes a pipeline; prepares its data where that was not done yet. */
export async function describePipeline<P extends Readonly<Record<string, OptionValue>>>(
  pipeline: Pipeline<P>,
  settings: {
    readonly options?: Readonly<Record<string, unknown>>;
    readonly seed?: number;
    readonly preparedFolder?: string;
    readonly say?: (line: string) => void;
  } = {},
): Promise<PipelineDescription> {
  const { options = {}, seed = 0, preparedFolder = '.maskflow/prepared', say = () => {} } = settings;
  const resolved = resolveOptions(pipeline.defaults, options);
  const prepared = new Prepared(preparedFolder, say);
  const engine = await createExecutor({ seed });
  const folder = await mkdtemp(join(tmpdir(), 'maskflow-describe-'));
  const leaveRun = enterRun();
  const seen = new Map<Place, unknown>();
  let parameters: Parameters = {};
  let gate: Gate | undefined;
  try {
    const chain = await pipeline.build({
      ...resolved,
      prepared: (name, make) => prepared.path(name, make),
      prepare: (name, make) => prepared.now(name, make),
      out: (name) => join(folder, name),
    });
    await prepared.ready();
    let stages: StageDescription[] = [];
    let stop = (): void => {};
    await new Promise<void>((resolve, reject) => {
      let standing: readonly Place[] = [];
      // Stages are looked at while they stand: one that ends forgets whom it feeds.
      const look = (): void => {
        if (stages.length === 0) stages = inOrder(standing, [...(gate as Gate).places], seen).map((place) => described(place, seen.get(place)));
        resolve();
      };
      const executor = uptoTheFirstStep(engine, (program, batch) => {
        parameters = program.parameters(signatureOf(batch));
        look();
      });
      const run: Run = {
        seed,
        executor,
        folder,
        files: nodeFiles,
        resumed: undefined,
        stopping: new AbortController().signal,
        keep() {},
        state: () => ({ step: 0, seed, cursor: { sources: [] }, stages: {} }),
        atStop() {},
        report() {},
        data() {},
        say,
      };
      gate = new Gate({ seed, prefetch: 1, run, warn: say, observe: (place, item) => void (seen.has(place) || seen.set(place, item)) });
      const subscription = within({ gate }, () => chain.subscribe({ next: look, error: reject, complete: look }));
      standing = [...gate.places];
      stop = () => subscription.unsubscribe();
    }).finally(() => stop());
    const listed = Object.entries(parameters).map(([name, { shape, trainable = true }]) => ({ name, shape, trainable }));
    return {
      options: Object.fromEntries(Object.entries(resolved).map(([name, value]) => [name, plain(value)])),
      stages,
      parameters: listed,
      trainable: listed.reduce((sum, { shape, trainable }) => sum + (trainable ? sizeOf(shape) : 0), 0),
      total: listed.reduce((sum, { shape }) => sum + sizeOf(shape), 0),
    };
  } catch (error) {
    throw error instanceof MaskflowError ? error : inStage('describe', error);
  } finally {
    // What is under way still uses the engine and may still write.
    await gate?.closed();
    leaveRun();
    engine.dispose();
    await rm(folder, { recursive: true, force: true });
  }
}

/**
 * From source to sink. A chain subscribes from its end up, so the later a stage registered, the further up it stands; stages
 * of inner streams (behind `groupBy`) come into being later still, once a group, and stand in front of the stage they feed.
 */
function inOrder(standing: readonly Place[], now: readonly Place[], seen: ReadonlyMap<Place, unknown>): Place[] {
  const ordered = [...standing].sort((a, b) => b.registration - a.registration);
  // Of those of one operator the one that has emitted: it knows whom it feeds.
  const later = now.filter((place) => !standing.includes(place)).sort((a, b) => Number(seen.has(b)) - Number(seen.has(a)) || a.registration - b.registration);
  for (const place of later) {
    if (later.slice(0, later.indexOf(place)).some((twin) => twin.name === place.name && JSON.stringify(twin.recipe) === JSON.stringify(place.recipe))) continue;
    const below = ordered.findIndex((other) => place.next.has(other));
    ordered.splice(below === -1 ? ordered.length : below, 0, place);
  }
  return ordered;
}

/** The engine, but for its first step: that is only looked at, and the stage that wants it waits until it is unsubscribed. */
function uptoTheFirstStep(engine: Executor, look: (program: Program, batch: AnyBatch) => void): Executor {
  const waiting = async (program: Program, batch: AnyBatch): Promise<never> => {
    look(program, batch);
    throw new MaskflowError({ stage: 'describe', rule: 'no step is performed' });
  };
  return {
    backend: engine.backend,
    weights: engine.weights,
    evaluate: (...given) => engine.evaluate(...given),
    gradients: waiting,
    step: waiting,
    update: (...given) => engine.update(...given),
    tensors: () => engine.tensors(),
    dispose: () => engine.dispose(),
  };
}

function described(place: Place, item: unknown): StageDescription {
  const { name, recipe, next } = place;
  return {
    name,
    function: recipe.name,
    options: JSON.parse(JSON.stringify(recipe.options, (_, value) => plain(value))) as Record<string, unknown>,
    feeds: [...new Set([...next].map((other) => other.name))],
    // What flows between the halves of one operator is its own affair.
    ...(typeof item === 'object' && item !== null && ('columns' in item || 'fields' in item) ? { emits: emitted(item) } : {}),
  };
}

function emitted(item: unknown): NonNullable<StageDescription['emits']> {
  const isBatch = typeof item === 'object' && item !== null && 'columns' in item;
  const named = isBatch ? (item as AnyBatch).columns : (item as Sample<object>).fields;
  const columns = Object.fromEntries(Object.entries(named).map(([column, value]) => [column, typeText(value)]));
  const grid = isBatch ? (item as AnyBatch).grid : undefined;
  return { kind: isBatch ? 'batch' : 'sample', columns, ...(grid === undefined ? {} : { grid }) };
}

function typeText(value: unknown): string {
  if (isColumn(value)) return `${dtypeOf(value.data)} [${value.shape.join(', ')}]`;
  if (typeof value === 'object' && value !== null && 'rows' in value) return 'carried';
  return typeof value === 'object' ? show(value) : typeof value;
}
