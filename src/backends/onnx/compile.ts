// From a piece of work to a session: trace, rewrite, write as ONNX, hand to ONNX Runtime.
import { createHash } from 'node:crypto';
import { mkdirSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { MaskflowError } from '../../core/errors.js';
import { located, locatedError } from '../located.js';
import { SEAL, encodeGraph } from './encodeGraph.js';
import { flatState } from './flatState.js';
import type { Graph } from './graph.js';
import { type Provider, providers } from './providers.js';
import { rewrite } from './rewrites/rewrite.js';
import type { Runner } from './runner.js';
import { type Runtime, emptyTensor, told } from './runtime.js';
import { refusalOf } from './seal.js';
import { trace } from './trace.js';
import type { Work } from './work.js';

export interface CompileOptions {
  readonly runtime: Runtime;
  readonly provider: Provider;
  /** Threads of one session. */
  readonly threads: number;
  /** Threads spin a moment before they sleep when they wait for work. */
  readonly spinning: boolean;
  /** Folder in which every graph is saved. */
  readonly graphs?: string | undefined;
  /** Folder in which ONNX Runtime writes a trace of every node of a session, when the session ends. */
  readonly profile?: string | undefined;
}

/** Compiles; an error names the program or optimiser whose work it is. */
export async function compile(work: Work, options: CompileOptions): Promise<Runner> {
  const { runtime, provider, graphs, profile } = options;
  const { resident, without } = providers[provider];
  const rewritten = located(work.of, () => rewrite(trace(work.inputs, work.build), { without }));
  // What stays on a device is a tensor of its own for each value.
  const { graph, vectors } = resident ? { graph: rewritten, vectors: [] } : flatState(rewritten);
  // On the host every output has an array to be written into.
  const refusal = resident ? undefined : await refusalOf(runtime);
  const model = encodeGraph(graph, { sealed: refusal !== undefined });
  const file = `${work.name.replace(/[^\w.-]+/g, '_')}-${createHash('sha256').update(model).digest('hex').slice(0, 8)}`;
  if (graphs !== undefined) save(graphs, `${file}.onnx`, model);
  if (profile !== undefined) mkdirSync(profile, { recursive: true });
  const fail = (error: unknown): never => {
    throw locatedError(
      work.of,
      new MaskflowError({
        rule: `ONNX Runtime failed on the graph ${work.name}: ${told(error)}`,
        hint: 'MASKFLOW_ONNX_GRAPHS=folder saves the graph; --backend wasm runs without one.',
        cause: error,
      }),
    );
  };
  const session = await runtime.InferenceSession.create(model, sessionOptions(options, graph, file)).catch(fail);
  return {
    vectors,
    single: { weights: below('next/weights/', graph), slots: below('next/slots/', graph) },
    async run(feeds, into = {}) {
      if (resident)
        return session
          .run(
            feeds,
            fetchesOf(graph, () => null),
          )
          .catch(fail);
      const written = fetchesOf(graph, (name, value) => into[name] ?? emptyTensor(runtime, typeOf(graph, value)));
      const fetches = refusal === undefined ? written : { [SEAL]: null, ...written };
      await session.run(feeds, fetches).catch((error: unknown) => {
        if (told(error) !== refusal) fail(error);
      });
      return written;
    },
    async release() {
      if (profile !== undefined) session.endProfiling();
      await session.release();
    },
  };
}

/** What a run is asked for: for each output what `of` answers. */
function fetchesOf<T>({ outputs }: Graph, of: (name: string, value: string) => T): Record<string, T> {
  const fetches: Record<string, T> = {};
  for (const [name, value] of outputs) fetches[name] = of(name, value);
  return fetches;
}

/** Outputs with this prefix, without it. */
const below = (prefix: string, { outputs }: Graph): string[] =>
  [...outputs.keys()].flatMap((name) => (name.startsWith(prefix) ? [name.slice(prefix.length)] : []));

function typeOf({ values }: Graph, value: string) {
  const type = values.get(value);
  if (type === undefined) throw new Error(`no type for value ${value}`);
  return type;
}

/**
 * Microseconds of spinning: longer than from node to node, shorter than from step to step. Without an end, which is ONNX
 * Runtime's default, a step takes twice as long as soon as another process wants a core.
 */
const SPIN = '50';

/** Ours come rewritten: ONNX Runtime's own optimisations would turn some products back into slower forms. */
function sessionOptions({ provider, threads, spinning, profile }: CompileOptions, { outputs }: Graph, file: string): Readonly<Record<string, unknown>> {
  const { executionProviders, resident } = providers[provider];
  return {
    executionProviders,
    ...(resident ? { preferredOutputLocation: locations([...outputs.keys()]) } : {}),
    intraOpNumThreads: threads,
    interOpNumThreads: 1,
    executionMode: 'sequential',
    graphOptimizationLevel: 'disabled',
    enableCpuMemArena: true,
    enableMemPattern: true,
    logSeverityLevel: 4, // it throws its errors; it need not print them too
    ...(profile === undefined ? {} : { enableProfiling: true, profileFilePrefix: join(profile, file) }),
    // Spinning ends with a run: sessions take turns, and each has threads of its own.
    extra: { session: { set_denormal_as_zero: '1', force_spinning_stop: '1', intra_op: { allow_spinning: spinning ? '1' : '0', spin_duration_us: SPIN } } },
  };
}

/** The next state stays where the graph runs; all else is for the host. */
function locations(outputs: readonly string[]): Readonly<Record<string, string>> {
  return Object.fromEntries(outputs.map((name) => [name, name.startsWith('next/') ? 'gpu-buffer' : 'cpu']));
}

/** Whole or not at all. */
function save(folder: string, name: string, model: Uint8Array): void {
  mkdirSync(folder, { recursive: true });
  const path = join(folder, name);
  writeFileSync(`${path}.${process.pid}.partial`, model);
  renameSync(`${path}.${process.pid}.partial`, path);
}
