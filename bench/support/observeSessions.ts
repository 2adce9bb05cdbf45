// What of a step lies outside ONNX Runtime, measured without asking the engine: the class InferenceSession is one for the
// whole process, and its calls are timed here before the engine makes its first.

/** Times so far, in milliseconds. */
export interface SessionTimes {
  /** Sessions made. */
  readonly created: number;
  /** Time of making them: reading the graph, optimising it, laying out memory. */
  readonly creating: number;
  /** Time within `run`. */
  readonly running: number;
}

/** Times every session of this process from now on; undefined where onnxruntime-node is not installed. */
export async function observeSessions(): Promise<SessionTimes | undefined> {
  const module = await import('onnxruntime-node').catch(() => undefined);
  if (module === undefined) return undefined;
  const times = { created: 0, creating: 0, running: 0 };
  const made = module.InferenceSession as unknown as { create: Timed; prototype: { run: Timed } };
  const { create } = made;
  made.create = async (...given) => {
    const begin = performance.now();
    const session = await Reflect.apply(create, made, given);
    times.created++;
    times.creating += performance.now() - begin;
    return session;
  };
  const { run } = made.prototype;
  made.prototype.run = async function (this: unknown, ...given) {
    const begin = performance.now();
    try {
      return await Reflect.apply(run, this, given);
    } finally {
      times.running += performance.now() - begin;
    }
  };
  return times;
}

type Timed = (...given: unknown[]) => Promise<unknown>;
