// What happens in the child stays there: crashes, hangs, noise, and errors come back as text.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { inChild } from '../../src/run/inChild.js';

const folder = mkdtempSync(join(tmpdir(), 'maskflow-inChild-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));
const js = join(folder, 'module.mjs');
writeFileSync(
  js,
  `import { setTimeout as sleep } from 'node:timers/promises';
export const add = (a, b) => { console.log('noise'); return { sum: a + b, seen: process.env.MASKFLOW_CHILD ?? null, extra: process.env.EXTRA ?? null }; };
export const fail = () => { throw new Error('on purpose'); };
export const crash = () => { console.error('about to crash'); process.kill(process.pid, 'SIGSEGV'); return sleep(10_000); };
export const leave = () => process.exit(3);
export const hang = () => { for (;;); };
export const crashAtEnd = () => { process.once('disconnect', () => process.kill(process.pid, 'SIGSEGV')); return 1; };
export const stays = () => { setInterval(() => {}, 1000); return 1; };
`,
);
const ts = join(folder, 'typed.ts');
writeFileSync(ts, `export const twice = (x: number): number => 2 * x;\n`);
const call = (name: string, limit = 20_000, ...given: unknown[]) => inChild(pathToFileURL(js), name, given, { limit, environment: { EXTRA: 'yes' } });

describe('inChild', () => {
  it('answers what the function answers, of JavaScript and TypeScript', async () => {
    expect(await call('add', 20_000, 2, 3)).toEqual({ answer: { sum: 5, seen: null, extra: 'yes' } });
    expect(await inChild(pathToFileURL(ts), 'twice', [21])).toEqual({ answer: 42 });
  });

  it('tells errors, also of a module or function that is not there', async () => {
    expect(await call('fail')).toEqual({ problem: 'on purpose' });
    expect((await call('nothing')).problem).toMatch(/not a function/);
    expect((await inChild(pathToFileURL(join(folder, 'absent.mjs')), 'x', [])).problem).toMatch(/absent\.mjs/);
  });

  it('survives a crash, an exit and a hang', async () => {
    const [crash, leave, hang] = await Promise.all([call('crash'), call('leave'), call('hang', 1000)]);
    expect(crash).toEqual({ problem: 'crashed with SIGSEGV: about to crash' });
    expect(leave).toEqual({ problem: 'ended with exit code 3 and no answer' });
    expect(hang).toEqual({ problem: 'no answer within 1 s' });
  });

  it('keeps an answer that came before the crash or hang', async () => {
    const [crash, stays] = await Promise.all([call('crashAtEnd'), call('stays', 2000)]);
    expect(crash).toEqual({ answer: 1, problem: 'answered, then crashed with SIGSEGV' });
    expect(stays).toEqual({ answer: 1, problem: 'answered and did not end within 2 s' });
  });
});
