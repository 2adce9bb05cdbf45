// Which folder a run gets, and what may stand in it.
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { chooseFolder, readRecord } from '../../src/run/folder.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'maskflow-folder-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

/** Makes these folders; those that end in `!` hold a run. */
function folders(...names: string[]): void {
  for (const name of names) {
    const path = join(root, name.replace('!', ''));
    mkdirSync(path, { recursive: true });
    if (name.endsWith('!')) writeFileSync(join(path, 'run.json'), '{"status":"done"}');
  }
}
const fresh = (name = 'mae'): string => chooseFolder(name, { root }).slice(root.length + 1);
const resumed = (name = 'mae'): string => chooseFolder(name, { root, resume: true }).slice(root.length + 1);

describe('chooseFolder', () => {
  it('is runs/<name> first, then -2, -3, … and never one that exists', () => {
    expect(fresh()).toBe('mae');
    folders('mae');
    expect(fresh()).toBe('mae-2');
    folders('mae-2!', 'mae-3');
    expect(fresh()).toBe('mae-4');
    folders('mae-17!');
    expect(fresh()).toBe('mae-18');
  });

  it('counts only its own numbers', () => {
    folders('mae-big!', 'mae-2b', 'mae-0', 'mae-1', 'mae-2.5', 'maerz-7', 'mae-');
    expect(fresh()).toBe('mae');
    expect(() => resumed()).toThrow(/run\.resume: there is no run to go on with; got ".*mae"/);
  });

  it('does not take names that only JavaScript reads as a number for one of its own', () => {
    folders('mae!', 'mae-0x10!', 'mae-1e3!');
    expect(fresh()).toBe('mae-2');
    expect(resumed()).toBe('mae');
  });

  it('at a resume is the newest that holds a run: 10 follows 9', () => {
    folders('mae!', 'mae-2!', 'mae-9!', 'mae-10!', 'mae-11');
    expect(resumed()).toBe('mae-10');
    rmSync(join(root, 'mae-10'), { recursive: true });
    expect(resumed()).toBe('mae-9');
  });

  it('where no folder of runs exists: a fresh one starts, a resume says how to start', () => {
    expect(chooseFolder('mae', { root: join(root, 'none') })).toBe(join(root, 'none', 'mae'));
    expect(() => chooseFolder('mae', { root: join(root, 'none'), resume: true })).toThrow(
      /there is no run to go on with.*Start one without --resume, or name its folder: --out DIR --resume/,
    );
  });

  it('refuses an explicit folder that holds a run and names both ways out; other files are no run', () => {
    folders('full!', 'notes');
    const out = join(root, 'full');
    expect(() => chooseFolder('mae', { out })).toThrow(
      /^run\.out: the folder holds a run already; got ".*full"\. Go on with it by --resume, or start anew in another folder: --out DIR\.$/,
    );
    expect(chooseFolder('mae', { out, resume: true })).toBe(out);
    expect(chooseFolder('mae', { out: join(root, 'notes') })).toBe(join(root, 'notes'));
    expect(() => chooseFolder('mae', { out: join(root, 'notes'), resume: true })).toThrow(/run\.resume: there is no run to go on with; got ".*notes"/);
    expect(chooseFolder('mae', { out: join(root, 'deep/er') })).toBe(join(root, 'deep/er'));
  });
});

describe('readRecord', () => {
  it('is undefined where there is none', () => {
    expect(readRecord(root)).toBeUndefined();
    expect(readRecord(join(root, 'nowhere'))).toBeUndefined();
  });

  it.each([
    ['half of one', '{"pipeline": "mae", "sta'],
    ['nothing', ''],
    ['null', 'null'],
    ['a list', '[]'],
    ['an object that is no record', '{}'],
    ['a record without options', '{"status":"running","seed":0}'],
  ])('names a run.json that holds %s, and the way out', (_, text) => {
    writeFileSync(join(root, 'run.json'), text);
    expect(() => readRecord(root)).toThrow(/^run: .*run\.json is not .*Start in another folder: --out DIR\.$/);
  });
});
