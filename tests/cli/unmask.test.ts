import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Readable, Writable } from 'node:stream';
import { Command, CommanderError } from 'commander';
import { afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { samplerOf, samplersHelp } from '../../src/cli/samplerKinds.js';
import { addUnmask, statusOf } from '../../src/cli/unmask.js';
import type { UnmaskState } from '../../src/operators/canvas.js';
import * as samplers from '../../src/operators/samplers/index.js';
import { textRunFolder } from '../run/textRunFolder.js';
import { temporaryFolder } from '../sources/arrowFiles.js';
import { plainText } from './console.js';

const root = temporaryFolder();
const path = join(root, 'run');
beforeAll(() => textRunFolder(path));
afterEach(() => {
  vi.unstubAllEnvs();
  process.exitCode = undefined;
});

/** Escape characters as signs that a pattern may hold. */
const visible = (text: string): string => text.replaceAll('\u001b', '␛');

interface Given {
  readonly stdin?: string;
  readonly tty?: boolean;
  readonly onWrite?: (text: string) => void;
}

/** `maskflow unmask …`, on the engine cpu. */
async function unmask(
  args: readonly string[],
  { stdin, tty = false, onWrite = () => {} }: Given = {},
): Promise<{ stdout: string; stderr: string; code: number }> {
  const said = { stdout: '', stderr: '' };
  const sink = (name: 'stdout' | 'stderr', isTTY: boolean): Writable & { isTTY: boolean; columns: number; rows: number } =>
    Object.assign(
      new Writable({
        decodeStrings: false,
        write(chunk: string, _, done) {
          said[name] += chunk;
          if (name === 'stdout') onWrite(chunk);
          done();
        },
      }),
      { isTTY, columns: 60, rows: 10 },
    );
  const streams = {
    stdin: stdin === undefined ? Object.assign(Readable.from([]), { isTTY: true }) : Readable.from([stdin]),
    stdout: sink('stdout', tty),
    stderr: sink('stderr', false),
  };
  const program = new Command('maskflow').exitOverride();
  addUnmask(program, streams);
  for (const one of program.commands)
    one.exitOverride().configureOutput({ writeErr: (text) => (said.stderr += text), writeOut: (text) => (said.stdout += text) });
  await program.parseAsync(['unmask', path, '--backend', 'cpu', ...args], { from: 'user' });
  return { ...said, code: Number(process.exitCode ?? 0) };
}

describe('away from a terminal', () => {
  it('prints the finished texts alone; what is told goes to standard error', async () => {
    const { stdout, stderr, code } = await unmask(['--prompt', 'the world', '--prompt', 'the', '--length', '4', '--rows', '2']);
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(4);
    expect(lines.map((line) => line.startsWith('the world'))).toEqual([true, true, false, false]);
    expect(visible(stdout)).not.toMatch(/[░␛]/u);
    expect(stderr).toBe('Engine: cpu (JavaScript, 1 thread)\ndone · 4 steps · 4 passes · firstHitting\n');
    expect(code).toBe(0);
  });

  it('is the same for the same seed', async () => {
    const args = ['--length', '6', '--seed', '3'];
    expect((await unmask(args)).stdout).toBe((await unmask(args)).stdout);
    expect((await unmask(['--length', '6', '--seed', '4'])).stdout).not.toBe((await unmask(args)).stdout);
  });

  it('--json prints each state as one object', async () => {
    const { stdout } = await unmask(['--prompt', 'the [MASK] the', '--prompt', '[MASK][MASK]', '--json']);
    const states = stdout
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as { step: number; passes: number; rows: { id: number; ids: number[]; masked: number[]; text: string }[] });
    expect(states.map(({ step, passes }) => [step, passes])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ]);
    expect(states[0]!.rows.map(({ id, text }) => [id, text])).toEqual([
      [0, 'the░ the'],
      [1, '░░'],
    ]);
    expect(states[0]!.rows[0]!.masked.reduce((sum, one) => sum + one)).toBe(1);
    for (const { rows } of states) for (const { ids, masked } of rows) expect(ids).toHaveLength(masked.length);
    expect(states[2]!.rows.every(({ masked, text }) => !masked.includes(1) && !text.includes('░'))).toBe(true);
  });

  it('reads prompts from standard input, a line each', async () => {
    const { stdout } = await unmask(['--prompt', '-', '--length', '2'], { stdin: 'the world\n\nthe the\r\n' });
    expect(stdout.split('\n').map((line) => /^the (world|the)/u.exec(line)?.[1])).toEqual(['world', 'the', undefined]);
  });
});

describe('on a terminal', () => {
  it('draws every state in place, prompts apart, and leaves the last one and the cursor', async () => {
    vi.stubEnv('NO_COLOR', '1');
    const { stdout } = await unmask(['--prompt', 'the world', '--length', '3', '--sampler', 'confidence'], { tty: true });
    const frames = visible(stdout).split(/\r␛\[\d+A␛\[J/u);
    expect(frames[0]).toBe('␛[?25l‹the world›░░░\n\n3 hidden · 0 steps · 0 passes · confidence');
    expect(frames).toHaveLength(5);
    expect(frames.at(-1)).toMatch(/^‹the world›[^░]*\n\ndone · 3 steps · 3 passes · confidence\n␛\[\?25h$/u);
    // Cursor and erasing alone, no colours.
    expect(visible(stdout)).not.toMatch(/␛\[\d*m/u);
  });

  it('draws again when the size changes, and stops listening', async () => {
    vi.stubEnv('NO_COLOR', '1');
    let screen: EventEmitter | undefined;
    let frames = 0;
    const on = vi.spyOn(Writable.prototype, 'on').mockImplementation(function (this: EventEmitter, event, listener) {
      if (event === 'resize') screen = this;
      return EventEmitter.prototype.on.call(this, event, listener) as never;
    });
    try {
      await unmask(['--length', '3'], { tty: true, onWrite: () => void (++frames === 2 && screen?.emit('resize')) });
    } finally {
      on.mockRestore();
    }
    // Four states, the end, and one more.
    expect(frames).toBe(6);
    expect(screen?.listenerCount('resize')).toBe(0);
  });

  it('Ctrl-C leaves what stands there, gives the cursor back and ends with 130', async () => {
    const [before, exits] = [process.listenerCount('SIGINT'), process.listenerCount('exit')];
    let frames = 0;
    const { stdout, code } = await unmask(['--length', '12', '--delay', '20'], { tty: true, onWrite: () => void (++frames === 3 && process.emit('SIGINT')) });
    expect(code).toBe(130);
    expect(visible(plainText(stdout))).toMatch(/hidden · 2 steps · 2 passes · firstHitting\n␛\[\?25h$/u);
    expect(process.listenerCount('SIGINT')).toBe(before);
    expect(process.listenerCount('exit')).toBe(exits);
  });
});

describe('refused', () => {
  const refusal = async (...args: string[]): Promise<string> => {
    try {
      await unmask(args);
    } catch (error) {
      if (!(error instanceof CommanderError)) expect((error as { problem?: { stage?: string } }).problem?.stage).toMatch(/maskflow|unmask/u);
      return (error as Error).message;
    }
    throw new Error('it was not refused');
  };
  it('says what is wrong with the command', async () => {
    expect(await refusal('--sampler', 'confidense')).toMatch(/^maskflow\.sampler: there is no such sampler; got "confidense"\. Did you mean confidence\?/u);
    expect(await refusal('--sampler', 'threshold', '--steps', '3')).toBe(
      'maskflow.steps: there is no such option (sampler threshold). Known: least, temperature.',
    );
    expect(await refusal('--set', 'variant=fast')).toMatch(/^maskflow\.variant: must be the name of a variant; got "fast" \(sampler firstHitting\)/u);
    expect(await refusal('--temperature', 'hot')).toContain('Expected a number');
    expect(await refusal('--prompt', '-')).toMatch(/^maskflow\.prompt: standard input is a terminal/u);
    expect(await refusal('--checkpoint', '9')).toMatch(/^maskflow\.checkpoint: there is no such checkpoint/u);
    expect(await refusal('--length', '40')).toMatch(/^maskflow\.length: the model reads rows of at most 32 tokens; got 42/u);
    expect(await refusal('--guidance', '-3')).toMatch(/^maskflow\.guidance: must be a finite number of at least −1/u);
  });
});

describe('samplers by name', () => {
  it('are all that the package has, with their options', () => {
    for (const name of ['ancestral', 'confidence', 'margin', 'entropy', 'randomOrder', 'entropyBounded', 'threshold', 'remasking', 'blocks', 'firstHitting']) {
      expect(samplers).toHaveProperty(name);
      const sampler = samplerOf(name, {});
      expect(sampler.recipe.name).toBe(name);
      expect(samplersHelp).toMatch(new RegExp(`^  ${name} `, 'mu'));
      const [, told = ''] = new RegExp(`^  ${name} .*\\((.*)\\)$`, 'mu').exec(samplersHelp) ?? [];
      for (const option of Object.keys(sampler.recipe.options)) if (name !== 'blocks') expect(told.split(', ')).toContain(option);
    }
  });

  it('work in blocks, take schedules by name', () => {
    expect(samplerOf('margin', { steps: 2 }, 8).recipe).toMatchObject({
      name: 'blocks',
      options: { size: 8, inner: { name: 'margin', options: { steps: 2 } } },
    });
    expect(samplerOf('blocks', {}, 8).recipe).toMatchObject({ name: 'blocks', options: { size: 8, inner: { name: 'confidence' } } });
    expect(samplerOf('blocks', { size: 4, steps: 2 }).recipe).toMatchObject({ options: { size: 4, inner: { options: { steps: 2 } } } });
    expect(samplerOf('ancestral', { schedule: 'cosine' }).recipe.options.schedule).toMatchObject({ name: 'cosineNoise' });
    expect(() => samplerOf('ancestral', { schedule: 'square' })).toThrow(
      'maskflow.schedule: must be the name of a schedule; got "square" (sampler ancestral). Known: linear, cosine, md4.',
    );
  });
});

it('a status says steps, passes and what is left', () => {
  const row = { id: 0, ids: Int32Array.of(0, 1), masked: Uint8Array.of(1, 0), free: Uint8Array.of(1, 1), step: 1, time: 1 };
  const state: UnmaskState = { step: 1, passes: 1, rows: [row, row] };
  expect(statusOf(state, 'margin')).toBe('2 hidden · 1 step · 1 pass · margin');
});

it('docs/cli.md has every sampler that the help has', () => {
  const docs = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');
  const named = [...samplersHelp.matchAll(/^ {2}(\w+)/gmu)].map(([, name]) => name as string);
  expect(named.filter((name) => !docs.includes(`| \`${name}\` |`))).toEqual([]);
});
