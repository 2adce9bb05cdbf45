// The built command as its own process: for what only a process has (TypeScript pipelines that import 'maskflow', signals).
import { type ChildProcess, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const bin = fileURLToPath(new URL('../../bin/maskflow.js', import.meta.url));
/** Is there a build? Says why not otherwise. */
export const built = existsSync(new URL('../../dist/cli/main.js', import.meta.url));
if (!built) console.log('skipped: tests of the command as a process need its build (npm run build)');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Starts `maskflow …argv` in `cwd`; on wasm where nothing else is named, whatever this machine has. */
export function start(
  cwd: string,
  argv: readonly string[],
  environment: Readonly<Record<string, string>> = {},
): { child: ChildProcess; ended: Promise<Ended>; said: () => string } {
  const child = spawn(process.execPath, [bin, ...argv], { cwd, env: { ...process.env, NO_COLOR: '1', MASKFLOW_BACKEND: 'wasm', ...environment } });
  const stop = (): void => void child.kill('SIGKILL');
  // A test that fails leaves no process behind.
  process.once('exit', stop);
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (text: Buffer) => (stdout += text.toString()));
  child.stderr.on('data', (text: Buffer) => (stderr += text.toString()));
  const ended = new Promise<Ended>((resolve) =>
    child.once('close', (code) => {
      process.off('exit', stop);
      resolve({ code, stdout, stderr });
    }),
  );
  return { child, ended, said: () => stderr };
}
