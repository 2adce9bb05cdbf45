// npm, used so that it changes node_modules and nothing else: no script runs (tfjs-node's would download a library from
// 2022), package.json and the lock stay as they are. npm removes whatever neither of them names, so everything that is
// needed goes into one call.
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MaskflowError } from '../core/errors.js';
import { type Execute, lastLines } from './execute.js';

export interface Change {
  /** Paths below node_modules that are new. */
  readonly added: readonly string[];
  /** Paths below node_modules that are gone. */
  readonly removed: readonly string[];
}

/**
 * Brings packages into `project`, or takes them away, and says what changed. Other packages that neither package.json
 * nor the lock names (brought the same way, such as webgpu) are named along, so that they stay.
 *
 * @param packages names with versions, `abbrev@1.1.1`
 */
export async function npmPackages(verb: 'install' | 'uninstall', packages: readonly string[], project: string, execute: Execute): Promise<Change> {
  refuseOthers(verb, packages, project);
  const before = packagesOf(project, 'node_modules/.package-lock.json');
  const names = new Set(packages.map(nameOf));
  const others = unnamed(project).filter((one) => !names.has(nameOf(one)));
  // Installing the others alone takes ours away, too.
  const call =
    verb === 'install' || others.length > 0 ? ['install', ...others, ...(verb === 'install' ? packages : [])] : ['uninstall', ...packages.map(nameOf)];
  // With --save-prod, which --no-save keeps from saving, npm also installs what package.json has as an optional peer.
  const ran = await execute('npm', [...call, '--no-save', '--save-prod', '--ignore-scripts', '--no-audit', '--no-fund', '--loglevel=error'], { cwd: project });
  if (ran.code !== 0) {
    throw new MaskflowError({
      stage: 'setup',
      option: 'npm',
      rule: ran.code === undefined ? 'there is no npm, which comes with Node' : `npm ${verb} failed in ${project}:\n${lastLines(ran)}\n`,
      hint: ran.code === undefined ? 'On Debian or Ubuntu run: apt-get install npm' : `Try: npm ${call.join(' ')} --no-save --save-prod --ignore-scripts`,
    });
  }
  const after = packagesOf(project, 'node_modules/.package-lock.json');
  return { added: Object.keys(after).filter((path) => !(path in before)), removed: Object.keys(before).filter((path) => !(path in after)) };
}

/** Packages from a registry that are installed, are not in the project's lock, and that no other of these needs; none without a lock. */
function unnamed(project: string): string[] {
  const lock = packagesOf(project, 'package-lock.json');
  if (Object.keys(lock).length === 0) return [];
  const found = Object.entries(packagesOf(project, 'node_modules/.package-lock.json')).filter(([path]) => !(path in lock));
  const needed = new Set(
    found.flatMap(([, { dependencies, optionalDependencies, peerDependencies }]) =>
      Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }),
    ),
  );
  return found
    .map(([path, { version, resolved }]) => ({ name: /^node_modules\/((?:@[^/]+\/)?[^/]+)$/.exec(path)?.[1], version, resolved }))
    .filter(({ name, version, resolved }) => name !== undefined && version !== undefined && /^https?:/.test(resolved ?? '') && !needed.has(name))
    .map(({ name, version }) => `${name}@${version}`);
}

const nameOf = (spec: string): string => spec.replace(/(?<=.)@[^@/]*$/, '');

/** What npm would take apart: a tree that another package manager made, and a folder without package.json (a global install). */
function refuseOthers(verb: string, packages: readonly string[], project: string): void {
  const others = { pnpm: '.modules.yaml', yarn: '.yarn-state.yml' };
  for (const [manager, file] of Object.entries(others)) {
    if (!existsSync(join(project, 'node_modules', file))) continue;
    const [add, remove] = ['add --ignore-scripts', 'remove'];
    throw new MaskflowError({
      stage: 'setup',
      option: 'npm',
      rule: `${project}/node_modules was made by ${manager}, and npm would take it apart`,
      hint: `Run: ${manager} ${verb === 'install' ? add : remove} ${packages.join(' ')}${verb === 'install' ? ' and then this command again' : ''}`,
    });
  }
  if (existsSync(join(project, 'package.json'))) return;
  throw new MaskflowError({
    stage: 'setup',
    option: 'npm',
    rule: `${project} has no package.json: in such a folder npm removes packages that it does not know`,
    hint: 'Install maskflow in a project (npm init -y && npm install maskflow) and run it there.',
  });
}

interface LockEntry {
  readonly version?: string;
  readonly resolved?: string;
  readonly dependencies?: object;
  readonly optionalDependencies?: object;
  readonly peerDependencies?: object;
}

/** What a lock file lists, or npm's own record of node_modules; nothing where there is no such file. */
function packagesOf(project: string, file: string): Readonly<Record<string, LockEntry>> {
  const path = join(project, file);
  return existsSync(path) ? ((JSON.parse(readFileSync(path, 'utf8')) as { packages?: Record<string, LockEntry> }).packages ?? {}) : {};
}
