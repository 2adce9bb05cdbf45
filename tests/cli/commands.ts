// The commands in this process, on streams that a test can fill and read.
import { PassThrough, Readable, Writable } from 'node:stream';
import { Command, CommanderError } from 'commander';
import { addInspect } from '../../src/cli/inspect.js';
import { addMask } from '../../src/cli/mask.js';

export interface Said {
  readonly stdout: Uint8Array;
  readonly stderr: string;
}

export interface Given {
  readonly stdin?: Uint8Array | Readable;
  readonly stdout?: Writable;
}

/** Runs `maskflow ARGS`; throws what the command throws, usage errors as commander's. */
export async function command(args: readonly string[], { stdin = new Uint8Array(0), stdout }: Given = {}): Promise<Said> {
  const out: Uint8Array[] = [];
  const err: string[] = [];
  const sink = (into: (chunk: Buffer) => void): Writable =>
    new Writable({
      write(chunk: Buffer, _, done) {
        into(chunk);
        done();
      },
    });
  const streams = {
    stdin: stdin instanceof Readable ? stdin : Readable.from([stdin], { objectMode: false }),
    stdout: stdout ?? sink((chunk) => out.push(Uint8Array.from(chunk))),
    stderr: sink((chunk) => err.push(chunk.toString())),
  };
  const program = new Command('maskflow').exitOverride();
  addMask(program, streams);
  addInspect(program, streams);
  for (const one of program.commands)
    one.exitOverride().configureOutput({ writeErr: (text) => err.push(text), writeOut: (text) => out.push(Buffer.from(text)) });
  await program.parseAsync([...args], { from: 'user' });
  return { stdout: Uint8Array.from(Buffer.concat(out)), stderr: err.join('') };
}

/** The error that a command ends with; its message, and whether it is one of usage (exit code 2) by commander's or our rule. */
export async function refusal(args: readonly string[], given: Given = {}): Promise<{ message: string; usage: boolean }> {
  try {
    await command(args, given);
  } catch (error) {
    const { message } = error as Error;
    const problem = (error as { problem?: { stage?: string; option?: string } }).problem;
    return { message, usage: error instanceof CommanderError || (problem?.stage === 'maskflow' && problem.option !== undefined) };
  }
  throw new Error('it was not refused');
}

/** A writable that somebody stops reading after the first write. */
export function brokenPipe(): Writable {
  const pipe = new PassThrough();
  let writes = 0;
  return new Writable({
    write(_, __, done) {
      pipe.destroy();
      done(writes++ < 1 ? null : Object.assign(new Error('write EPIPE'), { code: 'EPIPE' }));
    },
  });
}
