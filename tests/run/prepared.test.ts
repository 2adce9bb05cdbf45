// Data made once, atomically.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Prepared } from '../../src/run/prepared.js';

let root = '';
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'maskflow-prepared-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));
const prepared = (say: (line: string) => void = () => {}): Prepared => new Prepared(join(root, 'data'), say);
const left = (): string[] => (existsSync(join(root, 'data')) ? readdirSync(join(root, 'data')) : []);

describe('prepared', () => {
  it('makes a file at once where a pipeline reads it itself', async () => {
    const said: string[] = [];
    const data = prepared((line) => said.push(line));
    let makings = 0;
    const make = async (file: string): Promise<void> => {
      makings++;
      await writeFile(file, 'tokens');
    };
    const path = await data.now('tokenizer.json', make);
    expect(readFileSync(path, 'utf8')).toBe('tokens');
    expect(await prepared().now('tokenizer.json', make)).toBe(path);
    expect([makings, said]).toEqual([1, [`Preparing ${path} (once).`]]);
  });

  it('answers the path at once and makes the file in `ready`, one time for ever, and says so', async () => {
    const said: string[] = [];
    let made = 0;
    const make = async (file: string): Promise<void> => {
      made++;
      await writeFile(file, 'digits');
    };
    for (let turn = 0; turn < 3; turn++) {
      const data = prepared((line) => said.push(line));
      const path = data.path('digits', make);
      expect(path).toBe(join(root, 'data', 'digits.arrow'));
      expect(existsSync(path)).toBe(turn > 0);
      await data.ready();
      expect(readFileSync(path, 'utf8')).toBe('digits');
    }
    expect(made).toBe(1);
    expect(said).toEqual([`Preparing ${join(root, 'data', 'digits.arrow')} (once).`]);
    expect(left()).toEqual(['digits.arrow']);
  });

  it('keeps an extension of its own, and makes one file for one name however often it is asked for', async () => {
    const data = prepared();
    let made = 0;
    const make = async (file: string): Promise<void> => writeFile(file, String(++made));
    expect([data.path('words.txt', make), data.path('words.txt', make)]).toEqual([join(root, 'data', 'words.txt'), join(root, 'data', 'words.txt')]);
    await data.ready();
    expect(made).toBe(1);
  });

  it('the file has its name only when it is whole', async () => {
    const data = prepared();
    const seen: boolean[] = [];
    const path = data.path('slow', async (file) => {
      await writeFile(file, 'half');
      seen.push(existsSync(path));
      await writeFile(file, 'whole');
      seen.push(existsSync(path));
    });
    await data.ready();
    expect(seen).toEqual([false, false]);
    expect(readFileSync(path, 'utf8')).toBe('whole');
  });

  it('a maker that throws leaves nothing, and what it threw is in the message', async () => {
    const data = prepared();
    const path = data.path('broken', async (file) => {
      await writeFile(file, 'half');
      throw new Error('the package mnist is missing');
    });
    await expect(data.ready()).rejects.toThrow(/^prepared: the data could not be prepared: the package mnist is missing \(.*broken\.arrow\)\.$/);
    expect(left()).toEqual([]);
    expect(existsSync(path)).toBe(false);
    // The next run tries again.
    const again = prepared();
    again.path('broken', async (file) => writeFile(file, 'whole'));
    await again.ready();
    expect(left()).toEqual(['broken.arrow']);
  });

  it('a maker that makes a folder and fails says why it failed, and one that makes nothing is told', async () => {
    const folder = prepared();
    folder.path('folder', async (file) => {
      mkdirSync(file);
      throw new Error('no more images');
    });
    await expect(folder.ready()).rejects.toThrow(/could not be prepared: no more images/);
    expect(left()).toEqual([]);
    const idle = prepared();
    idle.path('idle', async () => {});
    await expect(idle.ready()).rejects.toThrow(/^prepared: the data could not be prepared/);
    expect(left()).toEqual([]);
  });

  it('two runs at once both get the whole file', async () => {
    const content = 'x'.repeat(100_000);
    const runs = Array.from({ length: 4 }, (_, i) => {
      const data = prepared();
      const path = data.path('shared', async (file) => {
        for (let part = 0; part < 10; part++) {
          await writeFile(file, content.slice(0, 10_000), { flag: part === 0 ? 'w' : 'a' });
          await new Promise((resolve) => setTimeout(resolve, i));
        }
      });
      return data.ready().then(() => readFileSync(path, 'utf8'));
    });
    for (const got of await Promise.all(runs)) expect(got === content).toBe(true);
    expect(left()).toEqual(['shared.arrow']);
  });

  it.each(['../escape', 'a/b', '', 'with space', 'a\\b', '/abs', 'x\0y'])('refuses %j as a name', (name) => {
    expect(() => prepared().path(name, async () => {})).toThrow(/^prepared\.name: must be a plain file name; got /);
  });
});
