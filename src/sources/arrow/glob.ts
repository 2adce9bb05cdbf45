// Which files a source reads: names as they are, or patterns with * (within a name), ? (one character) and ** (any
// folders). Node 20 has no stable glob of its own; these three are what data sets need.
import { readdir, stat } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { MaskflowError } from '../../core/errors.js';
import { nearest } from '../../core/nearest.js';

const isPattern = (path: string): boolean => /[*?]/.test(path);

async function kindOf(path: string): Promise<'file' | 'folder' | 'other' | undefined> {
  const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT' || error.code === 'ENOTDIR') return undefined;
    throw new MaskflowError({ rule: `cannot be opened: ${error.message}`, where: path, cause: error });
  });
  if (found === undefined) return undefined;
  return found.isFile() ? 'file' : found.isDirectory() ? 'folder' : 'other';
}

/** Does one name in a folder fit one part of a pattern? Names that begin with a dot need a pattern that does. */
export function fits(part: string, name: string): boolean {
  if (name.startsWith('.') && !part.startsWith('.')) return false;
  const text = part
    .replace(/[.+^${}()|[\]\\]/g, '\\$&')
    .replace(/\*+/g, '.*')
    .replace(/\?/g, '.');
  return new RegExp(`^${text}$`, 'su').test(name);
}

async function walk(folder: string, parts: readonly string[], found: Set<string>): Promise<void> {
  const [part, ...rest] = parts;
  if (part === undefined) return;
  if (part !== '**' && !isPattern(part)) {
    const next = join(folder, part);
    const kind = await kindOf(next);
    if (rest.length > 0 ? kind === 'folder' : kind === 'file') await (rest.length > 0 ? walk(next, rest, found) : found.add(next));
    return;
  }
  if (part === '**') await walk(folder, rest.length > 0 ? rest : ['*'], found);
  for (const entry of await readdir(folder === '' ? '.' : folder, { withFileTypes: true }).catch(() => [])) {
    const path = join(folder, entry.name);
    // A link to a folder is not followed by **, so that a cycle of links cannot hold us.
    if (part === '**') {
      if (entry.isDirectory() && !entry.name.startsWith('.')) await walk(path, parts, found);
      continue;
    }
    if (!fits(part, entry.name)) continue;
    if (rest.length > 0) await walk(path, rest, found);
    else if ((await kindOf(path)) === 'file') found.add(path);
  }
}

async function missing(path: string): Promise<MaskflowError> {
  const at = path.lastIndexOf(sep);
  const names = await readdir(at < 0 ? '.' : path.slice(0, at) || sep).catch(() => undefined);
  const near = names === undefined ? undefined : nearest(path.slice(at + 1), names);
  const hint =
    names === undefined
      ? `There is no folder ${path.slice(0, at)} either; relative paths start at ${process.cwd()}.`
      : near
        ? `Did you mean ${path.slice(0, at + 1)}${near}?`
        : undefined;
  return new MaskflowError({ rule: 'there is no such file', where: path, ...(hint === undefined ? {} : { hint }) });
}

/** The files that these names and patterns stand for: names in the order given, what a pattern finds sorted by name. */
export async function filesOf(paths: readonly string[]): Promise<string[]> {
  const files: string[] = [];
  for (const path of paths) {
    const kind = await kindOf(path);
    if (kind === 'folder') {
      throw new MaskflowError({
        rule: 'this is a folder, not a file',
        where: path,
        hint: `Name its files with a pattern: ${JSON.stringify(join(path, '*.arrow'))}.`,
      });
    }
    if (kind !== undefined) {
      files.push(path);
      continue;
    }
    if (!isPattern(path)) throw await missing(path);
    const parts = path.split(/[\\/]/u).filter((part, index) => part !== '' || index === 0);
    const found = new Set<string>();
    await (parts[0] === '' ? walk(sep, parts.slice(1), found) : walk('', parts, found));
    if (found.size === 0)
      throw new MaskflowError({
        rule: 'no file fits this pattern',
        value: path,
        hint: 'Write * for any part of a name, ? for one character, ** for any folders.',
      });
    files.push(...[...found].sort((a, b) => (a < b ? -1 : 1)));
  }
  return files;
}
