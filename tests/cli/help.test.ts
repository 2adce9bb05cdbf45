import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { InvalidArgumentError } from 'commander';
import { describe, expect, it } from 'vitest';
import { grid } from '../../src/cli/grid.js';
import { makeProgram } from '../../src/cli/main.js';
import { patch } from '../../src/cli/patch.js';
import { bernoulli, block, colorNoise, countBased, linguisticEntity, random, spans, tlm, wholeWord } from '../../src/operators/masks/index.js';

/** The whole help text of a command, examples included. */
async function help(name: string): Promise<string> {
  let text = '';
  const program = makeProgram();
  for (const command of [program, ...program.commands]) command.configureOutput({ writeOut: (part) => (text += part) });
  await expect(program.parseAsync([name, '--help'], { from: 'user' })).rejects.toMatchObject({ exitCode: 0 });
  return text;
}

const commands = makeProgram().commands.map((command) => command.name());

describe('help', () => {
  it.each(commands)('of %s has examples, and they use flags that exist', async (name) => {
    const text = await help(name);
    const examples = text.split('\n').filter((line) => line.startsWith(`  maskflow ${name} `));
    expect(examples.length).toBeGreaterThan(0);
    const flags = makeProgram()
      .commands.find((command) => command.name() === name)!
      .options.map(({ long }) => long);
    for (const example of examples) for (const [flag] of example.matchAll(/--[a-z]+/gu)) expect(flags).toContain(flag);
  });

  it('of mask and inspect lists the masks that the package exports, with their options', async () => {
    for (const name of ['mask', 'inspect']) {
      const text = await help(name);
      for (const [kind, make] of Object.entries({ random, block, colorNoise, bernoulli, countBased, wholeWord, spans, linguisticEntity, tlm })) {
        const [, options = ''] = new RegExp(`^  ${kind} .*\\((.*)\\)$`, 'mu').exec(text) ?? [];
        const { recipe } = make();
        expect(options.split(', ').sort()).toEqual(Object.keys(recipe.options).sort());
      }
    }
  });

  it('docs/cli.md names every command and every flag', () => {
    const text = readFileSync(join(import.meta.dirname, '../../docs/cli.md'), 'utf8');
    for (const command of makeProgram().commands) {
      expect(text).toContain(`## maskflow ${command.name()}`);
      for (const { long } of command.options) expect(text).toContain(`\`${long}`);
    }
    expect([...text.matchAll(/^## maskflow (\w+)/gmu)].map(([, name]) => name)).toEqual(commands);
  });
});

describe('values on the command line', () => {
  it('reads grids', () => {
    expect([grid('14x14'), grid('4x7x7'), grid('49'), grid('2×3')]).toEqual([[14, 14], [4, 7, 7], [49], [2, 3]]);
    for (const text of ['', 'x', '14x', '0x3', '-2', '3.5', '14,14', '99999999999999999999']) expect(() => grid(text)).toThrow(InvalidArgumentError);
  });

  it('reads patches', () => {
    expect([patch('7'), patch('4x8'), patch('4x4')]).toEqual([7, [4, 8], 4]);
    for (const text of ['', '0', '4x', '4x8x2', '-1', '2.5']) expect(() => patch(text)).toThrow(InvalidArgumentError);
  });
});
