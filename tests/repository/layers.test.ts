// The layer rules fire: a small tree with one violation a rule (and one tree's worth of allowed imports) is cruised with
// the repository's own configuration. A rule whose pattern went blind would let its file pass here.
import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';

const ROOT = resolve(import.meta.dirname, '../..');

/** File → what it holds. */
const ALLOWED: Record<string, string> = {
  'src/index.ts': "export * from './run/run.js'; export * from './operators/good.js';",
  'src/run/run.ts': "export { backend } from '../backends/good.js';",
  'src/cli/main.ts': "import '../run/run.js'; import '../backends/good.js';",
  'src/backends/good.ts': "import '@tensorflow/tfjs-backend-wasm'; import * as tf from '@tensorflow/tfjs'; export const backend = tf;",
  'src/core/good.ts':
    "import type { Tensor } from '@tensorflow/tfjs'; import { of } from 'rxjs'; import * as arrow from 'apache-arrow'; export const x: [Tensor?] = []; export { of, arrow };",
  'src/core/typeCycle.ts': "import type { B } from './typeCycleBack.js'; export interface A { b: B }",
  'src/core/typeCycleBack.ts': "import type { A } from './typeCycle.js'; export interface B { a: A }",
  'src/models/good.ts': "import '@tensorflow/tfjs'; import '../core/good.js'; export const m = 1;",
  'src/losses/good.ts': "import '@tensorflow/tfjs'; import '../core/good.js'; export const l = 1;",
  'src/optimizers/good.ts': "import '../core/good.js'; export interface O { x: number } export const adam = 1;",
  'src/formats/good.ts': "import '../core/good.js'; import 'node:fs'; export const f = 1;",
  'src/operators/views/good.ts': 'export const v = 1;',
  'src/operators/good.ts':
    "import type { O } from '../optimizers/good.js'; import '../models/good.js'; import '../losses/good.js'; export const o: O = { x: 1 };",
  'src/sources/good.ts': "import 'node:fs'; import '../operators/views/good.js'; import '../core/good.js';",
  'src/sinks/good.ts':
    "import '../models/good.js'; import type { O } from '../optimizers/good.js'; import '../operators/good.js'; import '../formats/good.js'; import 'node:fs'; export const o: O = { x: 1 };",
  'pipelines/good.ts': "import 'maskflow'; import 'node:fs';",
};

/** Rule → the files that break it. */
const VIOLATIONS: Record<string, Record<string, string>> = {
  'no-cycles': {
    'src/core/cycle.ts': "import { b } from './cycleBack.js'; export const a = () => b;",
    'src/core/cycleBack.ts': "import { a } from './cycle.js'; export const b = () => a;",
  },
  resolvable: { 'src/core/lost.ts': "import './nowhere.js';" },
  'runtime-packages-only': { 'src/formats/dev.ts': "import 'fast-check';" },
  'core-stands-alone': { 'src/core/up.ts': "import type { O } from '../optimizers/good.js'; export type X = O;" },
  'core-packages': { 'src/core/packages.ts': "import 'commander';" },
  'tfjs-values': { 'src/core/values.ts': "import { type Tensor, tensor } from '@tensorflow/tfjs'; export const t: Tensor = tensor(1);" },
  'tfjs-backends': { 'src/models/backend.ts': "import '@tensorflow/tfjs-backend-wasm';" },
  'no-node-in-portable-rooms': { 'src/operators/node.ts': "import { join } from 'path'; export { join };", 'src/losses/node.ts': "import 'node:fs/promises';" },
  'models-see-core': { 'src/models/loss.ts': "import '../losses/good.js';" },
  'losses-see-core': { 'src/losses/model.ts': "import '../models/good.js';" },
  'optimizers-see-core': { 'src/optimizers/model.ts': "import '../models/good.js';" },
  'operators-see-what-is-below': {
    'src/operators/sink.ts': "import '../sinks/good.js';",
    'src/operators/source.ts': "import '../sources/good.js';",
    'src/operators/format.ts': "import '../formats/good.js';",
  },
  'optimizers-by-type': { 'src/operators/optimizer.ts': "import { adam } from '../optimizers/good.js'; export const o = adam;" },
  'sources-see-core': { 'src/sources/operator.ts': "import '../operators/good.js';" },
  'sinks-see-what-is-below': { 'src/sinks/source.ts': "import '../sources/good.js';" },
  'formats-see-core': { 'src/formats/sink.ts': "import '../sinks/good.js';" },
  'backends-see-core': { 'src/backends/model.ts': "import '../models/good.js';" },
  'backends-are-injected': { 'src/sinks/backend.ts': "import type { backend } from '../backends/good.js'; export type X = typeof backend;" },
  'nothing-sees-run': { 'src/sinks/run.ts': "import '../run/run.js';" },
  'nothing-sees-cli': { 'src/run/cli.ts': "import '../cli/main.js';" },
  'src-stands-alone': { 'src/sinks/pipeline.ts': "import '../../pipelines/good.js';" },
  'pipelines-import-the-package': { 'pipelines/second.ts': "import '../src/index.js';" },
};

interface Violation {
  readonly from: string;
  readonly to: string;
  readonly rule: { readonly name: string };
}

describe('layer rules', () => {
  const folder = mkdtempSync(join(tmpdir(), 'maskflow-layers-'));
  let violations: readonly Violation[] = [];
  let ruleNames: readonly string[] = [];

  beforeAll(() => {
    for (const [path, text] of [ALLOWED, ...Object.values(VIOLATIONS)].flatMap((files) => Object.entries(files))) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    copyFileSync(join(ROOT, '.dependency-cruiser.cjs'), join(folder, '.dependency-cruiser.cjs'));
    copyFileSync(join(ROOT, 'package.json'), join(folder, 'package.json'));
    symlinkSync(join(ROOT, 'node_modules'), join(folder, 'node_modules'), 'junction');
    const cli = join(ROOT, 'node_modules/dependency-cruiser/bin/dependency-cruise.mjs');
    const { stdout, stderr } = spawnSync(process.execPath, [cli, '--config', '.dependency-cruiser.cjs', '--output-type', 'json', 'src', 'pipelines'], {
      cwd: folder,
      encoding: 'utf8',
      maxBuffer: 2 ** 28,
    });
    if (!stdout.startsWith('{')) throw new Error(`dependency-cruiser said no JSON: ${stdout}${stderr}`);
    const { summary } = JSON.parse(stdout) as { summary: { violations: Violation[]; ruleSetUsed: { forbidden: { name: string }[] } } };
    violations = summary.violations;
    ruleNames = summary.ruleSetUsed.forbidden.map((rule) => rule.name);
  }, 60_000);

  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('has a violation here for every rule', () => {
    expect([...ruleNames].sort()).toEqual(Object.keys(VIOLATIONS).sort());
  });

  it.each(Object.entries(VIOLATIONS).flatMap(([rule, files]) => Object.keys(files).map((file) => [rule, file] as const)))('%s fires on %s', (rule, file) => {
    // A cycle is reported once, from one of its modules to the other.
    expect(violations.filter((one) => one.from === file || one.to === file).map((one) => one.rule.name)).toContain(rule);
  });

  it('lets allowed imports pass', () => {
    expect(violations.filter((one) => one.from in ALLOWED)).toEqual([]);
  });
});
