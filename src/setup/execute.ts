import { execFile } from 'node:child_process';

export interface Executed {
  /** Exit code; undefined where the command does not exist. */
  readonly code: number | undefined;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end; never throws for what the command did. */
export type Execute = (command: string, args: readonly string[], options?: { readonly cwd?: string; readonly env?: NodeJS.ProcessEnv }) => Promise<Executed>;

/** The real one: no shell in between. */
export const execute: Execute = (command, args, { cwd, env } = {}) =>
  new Promise((resolve) => {
    execFile(command, [...args], { cwd, env: { ...process.env, ...env }, maxBuffer: 2 ** 26 }, (error, stdout, stderr) => {
      const code = error === null ? 0 : error.code === 'ENOENT' ? undefined : typeof error.code === 'number' ? error.code : 1;
      resolve({ code, stdout, stderr });
    });
  });

/** The end of what a failed command said, for an error message. */
export const lastLines = ({ stdout, stderr }: Executed, lines = 8): string => (stderr.trim() || stdout.trim()).split('\n').slice(-lines).join('\n');
