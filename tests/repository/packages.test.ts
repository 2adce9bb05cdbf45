// What `npm ci` installs: from the public registry alone, in versions that are pinned, and no package runs a script.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';

const read = (path: string): string => readFileSync(new URL(`../../${path}`, import.meta.url), 'utf8');
const { packages } = JSON.parse(read('package-lock.json')) as {
  packages: Record<string, { version?: string; resolved?: string; integrity?: string; hasInstallScript?: boolean }>;
};
const manifest = JSON.parse(read('package.json')) as {
  dependencies: Record<string, string>;
  devDependencies: Record<string, string>;
  allowScripts: Record<string, boolean>;
};
const installed = Object.entries(packages).filter(([path]) => path !== '');

describe('packages', () => {
  it('come from the public default registry alone: the lock file names no other, and the digest of each', () => {
    expect(installed.length).toBeGreaterThan(100);
    for (const [path, { resolved, integrity }] of installed) {
      // Without an address npm takes the default registry.
      if (resolved !== undefined) expect(resolved, path).toMatch(/^https:\/\/registry\.npmjs\.org\//);
      expect(integrity, path).toMatch(/^sha512-/);
    }
    expect(read('.npmrc')).not.toMatch(/registry/);
  });

  it('run no script: .npmrc forbids it, and each that has one is refused by name', () => {
    expect(read('.npmrc').split('\n')).toContain('ignore-scripts=true');
    const scripted = installed.filter(([, { hasInstallScript }]) => hasInstallScript === true).map(([path]) => path.replace(/^.*node_modules\//, ''));
    expect(manifest.allowScripts).toEqual(Object.fromEntries(scripted.map((name) => [name, false])));
  });

  it('are pinned, as the lock file has them', () => {
    for (const [name, version] of Object.entries({ ...manifest.dependencies, ...manifest.devDependencies })) {
      expect(version, name).toMatch(/^\d+\.\d+\.\d+$/);
      expect(packages[`node_modules/${name}`]?.version, name).toBe(version);
    }
  });
});
