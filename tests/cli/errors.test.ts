// What a person sees who mistypes, and the exit code that a script sees.
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { told } from '../../src/cli/main.js';
import { MaskflowError } from '../../src/core/errors.js';
import { built, start } from './built.js';
import { maskflow } from './console.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-errors-'));
const before = process.cwd();
beforeAll(() => {
  process.chdir(root);
  // A pipeline that imports nothing can be loaded in this process too.
  writeFileSync(
    'never.ts',
    `export default { kind: 'maskflow.pipeline', defaults: { epochs: 1, ratio: 0.5, loud: false, color: 'green' }, build: (): never => { throw new Error('never built'); } };\n`,
  );
  writeFileSync('nothing.ts', 'export const pipeline = 1;\n');
  writeFileSync('torn.ts', 'export default {\n  epochs: 1,\n');
  mkdirSync('folder');
});
afterAll(() => {
  process.chdir(before);
  rmSync(root, { recursive: true, force: true });
});

describe('help', () => {
  it.each(['run', 'describe', 'mask', 'inspect'])('of %s has an example that names it, on stdout, with exit code 0', async (verb) => {
    const { code, stdout, stderr } = await maskflow(verb, '--help');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(new RegExp(`Examples?:\\n(.*\\n)*? *(.*\\| *)?maskflow ${verb} `));
  });

  it('lists the verbs; the version is that of the package', async () => {
    const { code, stdout } = await maskflow('--help');
    expect(code).toBe(0);
    for (const verb of ['run', 'describe', 'mask', 'inspect']) expect(stdout).toMatch(new RegExp(`^ +${verb} `, 'm'));
    expect(await maskflow('--version')).toMatchObject({ code: 0, stdout: expect.stringMatching(/^\d+\.\d+\.\d+\n$/) as string });
  });
});

describe('usage: exit code 2, the reason, and a way on', () => {
  it.each<[string, string[], RegExp]>([
    ['no command', [], /Usage: maskflow/],
    ['an unknown command', ['rnu', 'never.ts'], /unknown command 'rnu'[\s\S]*Did you mean run\?[\s\S]*maskflow --help lists the commands/],
    ['an unknown option', ['run', 'never.ts', '--sed', '3'], /unknown option '--sed'[\s\S]*(Did you mean --se[et]|maskflow --help)/],
    ['no file', ['run'], /missing required argument 'FILE'/],
    ['two files', ['run', 'never.ts', 'nothing.ts'], /too many arguments/],
    ['a file that is not there', ['run', 'nowhere.ts'], /error maskflow\.FILE: there is no such file; got "nowhere\.ts"\. Give the path of a pipeline/],
    ['a folder', ['run', 'folder'], /maskflow\.FILE: this is no file; got "folder"/],
    [
      'a file without a pipeline',
      ['run', 'nothing.ts'],
      /maskflow\.FILE: the file must export a pipeline as its default; got undefined \(nothing\.ts\)\. Write export default pipeline\(/,
    ],
    [
      'an unknown key',
      ['run', 'never.ts', '--set', 'epoch=3'],
      /pipeline\.epoch: there is no such option\. Did you mean epochs\? Options: epochs=1, ratio=0\.5, loud=false, color=green\./,
    ],
    ['a key of every object', ['run', 'never.ts', '--set', 'constructor=3'], /pipeline\.constructor: there is no such option/],
    ['text for a number', ['run', 'never.ts', '--set', 'epochs=many'], /pipeline\.epochs: must be a number; got "many"\. Its default is 1\./],
    ['nothing for a number', ['run', 'never.ts', '--set', 'epochs='], /pipeline\.epochs: must be a number; got ""/],
    ['text for a yes or no', ['run', 'never.ts', '--set', 'loud=1'], /pipeline\.loud: must be a boolean; got "1"/],
    ['a setting without =', ['run', 'never.ts', '--set', 'epochs'], /'epochs' is invalid\. Expected key=value, as in --set ratio=0\.75/],
    ['a setting without a key', ['run', 'never.ts', '--set', '=3'], /'=3' is invalid\. Expected key=value/],
    ['half a seed', ['run', 'never.ts', '--seed', '1.5'], /'1\.5' is invalid\. Expected a whole number of at least 0/],
    ['a negative seed', ['run', 'never.ts', '--seed', '-1'], /'-1' is invalid\. Expected a whole number of at least 0/],
    ['no batch in flight', ['run', 'never.ts', '--prefetch', '0'], /'0' is invalid\. Expected a whole number of at least 1/],
    ['an unknown backend', ['run', 'never.ts', '--backend', 'wsm'], /there is no such backend; got "wsm"\. Did you mean wasm\?/],
    ['the same for describe', ['describe', 'never.ts', '--set', 'ratoi=1'], /pipeline\.ratoi: there is no such option\. Did you mean ratio\?/],
    ['a missing file for describe', ['describe', 'nowhere.ts'], /there is no such file/],
  ])('%s', async (_, argv, expected) => {
    const { code, stdout, stderr } = await maskflow(...argv);
    expect(stderr).toMatch(expected);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
  });

  it('a folder that holds a run', async () => {
    mkdirSync('mine');
    writeFileSync('mine/run.json', '{}');
    const { code, stderr } = await maskflow('run', 'never.ts', '--out', 'mine');
    expect(stderr).toMatch(/run\.out: the folder holds a run already; got "mine"\. Go on with it by --resume, or start anew in another folder: --out DIR\./);
    expect(code).toBe(2);
    rmSync('mine', { recursive: true });
  });

  it('leaves no folder of a run behind', () => {
    expect(readdirSync('.').sort()).toEqual(['folder', 'never.ts', 'nothing.ts', 'torn.ts']);
  });
});

describe('failure: exit code 1', () => {
  it('a pipeline that throws is named as such, without a stack, and leaves no folder', async () => {
    const { code, stderr } = await maskflow('run', 'never.ts', '--backend', 'cpu');
    expect({ code, stderr }).toEqual({ code: 1, stderr: 'Engine: cpu (JavaScript, 1 thread)\nerror pipeline: never built.\n' });
    expect(readdirSync('.')).not.toContain('runs');
  });

  it('a file that is no TypeScript: which file, which line', async () => {
    const { code, stderr } = await maskflow('run', 'torn.ts');
    expect(code).toBe(1);
    expect(stderr).toMatch(/torn\.ts:3/);
  });

  it('there is nothing to resume', async () => {
    const { code, stderr } = await maskflow('run', 'never.ts', '--resume');
    expect(stderr).toMatch(
      /run\.resume: there is no run to go on with; got "runs\/never"\. Start one without --resume, or name its folder: --out DIR --resume/,
    );
    expect(code).toBe(1);
  });
});

describe('told', () => {
  it('prints the stack and the cause where MASKFLOW_DEBUG asks for it', () => {
    const error = new MaskflowError({ stage: 'mask', rule: 'must lie in [0, 1]', cause: new TypeError('deep down') });
    expect(told(error)).toMatch(/mask: must lie in \[0, 1\]\.$/);
    process.env.MASKFLOW_DEBUG = '1';
    try {
      expect(told(error)).toMatch(/MaskflowError: mask: must lie[\s\S]*at .*errors\.test\.ts[\s\S]*caused by TypeError: deep down[\s\S]*at .*errors\.test\.ts/);
    } finally {
      delete process.env.MASKFLOW_DEBUG;
    }
  });

  it('prints what is thrown that is no error', () => {
    expect(told('text')).toContain('text');
    expect(told(new RangeError('far'))).toMatch(/RangeError: far[\s\S]*errors\.test\.ts/);
  });
});

describe.skipIf(!built)('a TypeScript pipeline that throws', () => {
  it('tells the line of the TypeScript file, in a folder with a space and a #', async () => {
    const folder = join(root, 'a b#c');
    mkdirSync(folder);
    writeFileSync(
      join(folder, 'boom.ts'),
      `import { pipeline } from 'maskflow';

interface Kind {
  readonly name: string;
}
enum Shade { Green = 'green' }

export default pipeline({ epochs: 1 }, ({ epochs }): never => {
  const kind: Kind = { name: Shade.Green };
  throw new RangeError(\`boom \${kind.name} \${epochs}\`);
});
`,
    );
    const { code, stdout, stderr } = await start(folder, ['run', 'boom.ts', '--backend', 'cpu'], { MASKFLOW_DEBUG: '1' }).ended;
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^error pipeline: boom green 1\./m);
    expect(stderr).toMatch(/caused by RangeError: boom green 1\n +at .*boom\.ts:10:9/);
    expect(readdirSync(folder)).toEqual(['boom.ts']);
  }, 30_000);
});
