import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { MaskflowError } from '../../src/core/errors.js';
import { appender } from '../../src/sinks/appender.js';
import { fileError, nodeFiles } from '../../src/sinks/nodeFiles.js';
import { folder } from './steps.js';

describe('nodeFiles', () => {
  it('makes folders, writes, replaces, lists and removes', async () => {
    const root = folder();
    const deep = join(root, 'a', 'b');
    await nodeFiles.makeFolder(deep);
    await nodeFiles.makeFolder(deep);
    await nodeFiles.write(join(deep, 'two'), 'first, longer');
    await nodeFiles.write(join(deep, 'two'), 'second');
    await nodeFiles.write(join(deep, 'one.partial'), Uint8Array.from([1, 2]));
    await nodeFiles.syncFolder(deep);
    await nodeFiles.rename(join(deep, 'one.partial'), join(deep, 'one'));
    expect(await nodeFiles.list(deep)).toEqual(['one', 'two']);
    expect(readFileSync(join(deep, 'two'), 'utf8')).toBe('second');
    expect([...readFileSync(join(deep, 'one'))]).toEqual([1, 2]);
    await nodeFiles.rename(join(deep, 'one'), join(deep, 'two'));
    expect([...readFileSync(join(deep, 'two'))]).toEqual([1, 2]);
    await nodeFiles.remove(join(root, 'a'));
    await nodeFiles.remove(join(root, 'a'));
    expect(existsSync(join(root, 'a'))).toBe(false);
    expect(await nodeFiles.list(join(root, 'a'))).toEqual([]);
  });

  it('says which path, what is wrong and what to do', async () => {
    const root = folder();
    const file = join(root, 'file');
    writeFileSync(file, '');
    await expect(nodeFiles.write(join(root, 'missing', 'x'), '')).rejects.toThrow(
      `cannot write ${join(root, 'missing', 'x')}: there is no such file or folder (ENOENT).`,
    );
    await expect(nodeFiles.write(root, '')).rejects.toThrow(`cannot write ${root}: there is a folder of this name (EISDIR). Move that folder away`);
    await expect(nodeFiles.makeFolder(join(file, 'x'))).rejects.toThrow('part of the path is a file, not a folder (ENOTDIR)');
    await expect(nodeFiles.makeFolder(file)).rejects.toThrow('there is a file of this name (EEXIST)');
    await expect(nodeFiles.list(file)).rejects.toThrow(`cannot list ${file}`);
    await expect(nodeFiles.syncFolder(join(root, 'missing'))).rejects.toThrow('cannot flush the folder');
    await expect(nodeFiles.rename(join(root, 'missing'), file)).rejects.toThrow(`cannot rename to ${file}`);
    await expect(nodeFiles.write(root, '')).rejects.toBeInstanceOf(MaskflowError);
  });

  it.each([
    ['ENOSPC', 'cannot write /data/x: the disk is full (ENOSPC). Free some space, then go on with --resume; or write elsewhere: --out DIR.'],
    ['EACCES', 'cannot write /data/x: permission is denied (EACCES). Give this user the right to write there, or write elsewhere: --out DIR.'],
    ['EROFS', 'cannot write /data/x: the file system is read-only (EROFS). Write elsewhere: --out DIR.'],
    ['EWEIRD', 'cannot write /data/x: EWEIRD: odd.'],
  ])('translates %s', (code, message) => {
    const cause = Object.assign(new Error(`${code}: odd`), { code });
    const error = fileError('write', '/data/x', cause);
    expect(error.message).toBe(message);
    expect(error.cause).toBe(cause);
  });

  it.skipIf(process.platform === 'win32' || process.getuid?.() === 0)('reports a folder that it may not write to (skipped for root, who may)', async () => {
    const root = folder();
    chmodSync(root, 0o500);
    await expect(nodeFiles.write(join(root, 'x'), '')).rejects.toThrow('permission is denied (EACCES)');
    chmodSync(root, 0o700);
  });
});

describe('appender', () => {
  it('appends to what is there, or to nothing', () => {
    const path = join(folder(), 'deep', 'log');
    for (const [fresh, record, expected] of [
      [false, 'a\n', 'a\n'],
      [false, 'b\n', 'a\nb\n'],
      [true, 'c\n', 'c\n'],
    ] as const) {
      const out = appender(path, { fresh });
      out.append(record);
      out.close();
      out.close();
      expect(readFileSync(path, 'utf8')).toBe(expected);
    }
    expect(statSync(path).size).toBe(2);
  });

  it.skipIf(!existsSync('/dev/full'))('reports a full disk with path and way out', () => {
    const out = appender('/dev/full');
    expect(() => out.append('x')).toThrow('cannot write /dev/full: the disk is full (ENOSPC). Free some space');
    out.close();
  });
});
