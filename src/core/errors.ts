// One error type for everything that a user can get wrong or that can go wrong for a user.
// The message is assembled from named parts, so that every error says which stage, which option or sample,
// which rule, what came, and what to do about it.

/** The parts of an error; every field is optional except the rule. */
export interface Problem {
  /** Stage, source, sink or command that found it: `mask`, `arrow`, `maskflow run`. */
  readonly stage?: string;
  /** The option or column concerned. */
  readonly option?: string;
  /** Where in the data: file, row, column, sample ids. */
  readonly where?: string;
  /** What must hold, as a sentence without a full stop: "ratio must lie in [0, 1]". */
  readonly rule: string;
  /** What came instead; printed by `show`. */
  readonly value?: unknown;
  /** The way out: a call, command or edit that works. */
  readonly hint?: string;
  readonly cause?: unknown;
}

/** A value as it should be read in a message: short, quoted where it is text, never a page long. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value.length > 80 ? `${value.slice(0, 77)}…` : value);
  if (value === undefined || value === null || typeof value === 'number' || typeof value === 'boolean') return String(value);
  if (typeof value === 'bigint') return `${value}n`;
  if (ArrayBuffer.isView(value)) return `${value.constructor.name} of ${(value as unknown as { length?: number }).length ?? value.byteLength}`;
  if (typeof value === 'function') return `function ${value.name || '(anonymous)'}`;
  try {
    const text = JSON.stringify(value) ?? String(value);
    return text.length > 120 ? `${text.slice(0, 117)}…` : text;
  } catch {
    return Object.prototype.toString.call(value);
  }
}

function message(problem: Problem): string {
  const { stage, option, where, rule, hint } = problem;
  const head = [stage, option].filter((part) => part !== undefined).join('.');
  const got = 'value' in problem ? `; got ${show(problem.value)}` : '';
  return `${head ? `${head}: ` : ''}${rule}${got}${where ? ` (${where})` : ''}.${hint ? ` ${hint}` : ''}`;
}

/**
 * The error of maskflow.
 *
 * @example
 * throw new MaskflowError({ stage: 'mask', option: 'ratio', rule: 'must lie in [0, 1]', value: 1.5, hint: 'Try random({ ratio: 0.75 }).' });
 */
export class MaskflowError extends Error {
  override readonly name = 'MaskflowError';
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(message(problem), problem.cause === undefined ? undefined : { cause: problem.cause });
    this.problem = problem;
  }
  get stage(): string | undefined {
    return this.problem.stage;
  }
}

/** `error` as a MaskflowError that names `stage`; one that names a stage already is kept as it is. */
export function inStage(stage: string, error: unknown, where?: string): MaskflowError {
  if (error instanceof MaskflowError) {
    if (error.stage !== undefined && (where === undefined || error.problem.where !== undefined)) return error;
    const located = { stage, ...(where === undefined ? {} : { where }), ...error.problem };
    const again = new MaskflowError(located);
    if (error.stack !== undefined) again.stack = error.stack;
    return again;
  }
  const rule = error instanceof Error ? error.message : String(error);
  return new MaskflowError({ stage, rule: rule.replace(/\.$/, ''), ...(where === undefined ? {} : { where }), cause: error });
}
