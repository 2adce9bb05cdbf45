// The lint rules of single rooms fire there and only there. (That the rules on promises fire is checked by the lint
// itself: floatingPromises.ts.)
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { ESLint } from 'eslint';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

describe('restricted properties', () => {
  // The text is no file of the project, so rules that need types are off.
  const eslint = new ESLint({
    cwd: ROOT,
    overrideConfig: {
      languageOptions: { parserOptions: { project: null } },
      rules: { '@typescript-eslint/no-floating-promises': 'off', '@typescript-eslint/no-misused-promises': 'off' },
    },
  });

  async function refused(filePath: string, code: string): Promise<string[]> {
    const [result] = await eslint.lintText(code, { filePath: join(ROOT, filePath) });
    return (result?.messages ?? []).map((one) => one.ruleId ?? one.message);
  }

  it.each([
    ['src/sinks/bait.ts', 'Math.random();'],
    ['src/backends/bait.ts', 'Math.random();'],
    ['src/models/bait.ts', 'tf.randomNormal([2]);'],
    ['src/backends/bait.ts', 'tf.dropout(x, 0.1);'],
    ['src/operators/bait.ts', 'Date.now();'],
    ['src/core/demand/bait.ts', 'performance.now();'],
    ['src/models/bait.ts', "tf.setBackend('wasm');"],
    ['src/sinks/bait.ts', "tf.setBackend('wasm');"],
  ])('%s may not say %s', async (file, code) => {
    expect(await refused(file, code)).toEqual(['no-restricted-properties']);
  });

  it.each([
    ['src/backends/bait.ts', "tf.setBackend('wasm');"],
    ['src/sinks/bait.ts', 'performance.now();'],
    ['tests/bait.ts', 'Math.random();'],
  ])('%s may say %s', async (file, code) => {
    expect(await refused(file, code)).toEqual([]);
  });
});

describe('rooms that must run in a browser', () => {
  const folder = mkdtempSync(join(tmpdir(), 'maskflow-lint-'));
  const rooms = ['core', 'operators', 'models', 'losses', 'optimizers', 'sinks'];
  let output = '';

  beforeAll(() => {
    copyFileSync(join(ROOT, 'biome.json'), join(folder, 'biome.json'));
    for (const room of rooms) {
      mkdirSync(join(folder, 'src', room), { recursive: true });
      writeFileSync(join(folder, 'src', room, 'global.ts'), 'export const bait = process.argv;\n');
      writeFileSync(join(folder, 'src', room, 'module.ts'), "export * from 'node:fs';\n");
    }
    const biome = join(ROOT, 'node_modules/@biomejs/biome/bin/biome');
    const args = [biome, 'lint', '--reporter=github', '--max-diagnostics=none'];
    output = spawnSync(process.execPath, args, { cwd: folder, encoding: 'utf8' }).stdout;
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  const found = (file: string) => output.split('\n').filter((line) => line.includes(file));

  it.each(rooms.slice(0, -1))('src/%s may not touch Node', (room) => {
    expect(found(`src/${room}/global.ts`).join()).toContain('lint/style/noRestrictedGlobals');
    expect(found(`src/${room}/module.ts`).join()).toContain('lint/correctness/noNodejsModules');
  });

  it('sinks may', () => {
    expect(found('src/sinks/')).toEqual([]);
  });
});
