// Runs one exported function of a module in a process of its own, so that what crashes or hangs there harms nobody here.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

export interface InChildOptions {
  /** Milliseconds after which the process is killed; default 60,000. */
  readonly limit?: number | undefined;
  /** Environment variables on top of this process's. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
}

export interface ChildOutcome<T> {
  /** What the function answered, as JSON carries it; absent where there was no answer. */
  readonly answer?: T;
  /** What went wrong: an error's message, a signal, the time limit. It may stand beside an answer: a crash at the end. */
  readonly problem?: string;
}

/** Reads the module (TypeScript sources by jiti), calls the function, sends what it answers, and ends. */
const code = `
const { url, name, given, jiti } = JSON.parse(process.env.MASKFLOW_CHILD);
delete process.env.MASKFLOW_CHILD;
let message;
try {
  const module = jiti === null ? await import(url) : await (await import(jiti)).createJiti(url).import(url);
  message = { answer: await module[name](...given) };
} catch (error) {
  message = { problem: error instanceof Error ? error.message : String(error) };
}
process.send(message, () => process.disconnect());
`;

/**
 * Calls `module[name](...given)` in a new Node process, which prints nothing here.
 *
 * @param module URL of the module's file
 * @returns never rejects: what goes wrong is `problem`
 * @example
 * const { answer, problem } = await inChild(new URL('./tryBackend.js', import.meta.url), 'tryBackend', ['wasm'], { limit: 10_000 });
 */
export function inChild<T>(
  module: URL,
  name: string,
  given: readonly unknown[],
  { limit = 60_000, environment = {} }: InChildOptions = {},
): Promise<ChildOutcome<T>> {
  const jiti = module.pathname.endsWith('.ts') ? pathToFileURL(createRequire(import.meta.url).resolve('jiti')).href : null;
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['--input-type=module', '--eval', code], {
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
      env: { ...process.env, ...environment, MASKFLOW_CHILD: JSON.stringify({ url: module.href, name, given, jiti }) },
    });
    const stop = (): void => void child.kill('SIGKILL');
    process.once('exit', stop);
    let told: ChildOutcome<T> = {};
    let late = false;
    let stderr = '';
    const timer = setTimeout(() => {
      late = true;
      stop();
    }, limit);
    child.stderr?.on('data', (text: Buffer) => (stderr = (stderr + text.toString()).slice(-4000)));
    child.on('message', (message: ChildOutcome<T>) => (told = message));
    child.on('error', (error) => (told = { problem: error.message }));
    child.once('close', (status, signal) => {
      clearTimeout(timer);
      process.off('exit', stop);
      const answered = told.answer !== undefined || told.problem !== undefined;
      const seconds = `${limit / 1000} s`;
      if (late) resolve({ ...told, problem: answered ? `answered and did not end within ${seconds}` : `no answer within ${seconds}` });
      else if (signal !== null) resolve({ ...told, problem: `${answered ? 'answered, then ' : ''}crashed with ${signal}${last(stderr)}` });
      else if (!answered) resolve({ problem: `ended with exit code ${status} and no answer${last(stderr)}` });
      else resolve(told);
    });
  });
}

/** The last line that a process wrote. */
function last(text: string): string {
  const line = text.trim().split('\n').at(-1) ?? '';
  return line === '' ? '' : `: ${line.slice(0, 200)}`;
}
