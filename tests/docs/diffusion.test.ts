// docs/diffusion.md: its examples are the program beside this file, which the compiler checks and which runs here.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { lastValueFrom, take } from 'rxjs';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Column } from '../../src/core/batch.js';

const root = resolve(import.meta.dirname, '../..');
const document = readFileSync(join(root, 'docs/diffusion.md'), 'utf8');
const program = readFileSync(join(root, 'tests/docs/diffusion.ts'), 'utf8');
const examples = [...document.matchAll(/```ts\n(.*?)```/gsu)].map(([, code]) => code as string);

describe('docs/diffusion.md', () => {
  it('has the examples of the program that is checked and run, all of it and nothing else', () => {
    expect(examples.length).toBeGreaterThan(8);
    // Behind the imports, where one example ends the next begins; `export` only keeps the compiler from asking for uses.
    const imports = "from 'maskflow/backends';\n";
    let rest = program.slice(program.indexOf(imports) + imports.length).replaceAll('export const', 'const');
    for (const example of examples) {
      const at = rest.indexOf(example);
      expect(at, example).toBeGreaterThanOrEqual(0);
      expect(rest.slice(0, at).trim(), 'left out of the document').toBe('');
      rest = rest.slice(at + example.length);
    }
    expect(rest.trim(), 'left out of the document').toBe('');
  });

  it('names every sampler, mask, weight and schedule of masked diffusion', () => {
    const exported = ['samplers', 'diffusion'].flatMap((room) => {
      const index = readFileSync(join(root, `src/operators/${room}/index.ts`), 'utf8');
      return [...index.matchAll(/export \{([^}]*)\}/gu)].flatMap(([, names]) => (names as string).split(',').map((name) => name.trim()));
    });
    const named = (name: string): boolean => new RegExp(`\`[^\`\\n]*\\b${name}\\b`, 'u').test(document);
    const missing = exported.filter((name) => name !== '' && !name.startsWith('type ') && !named(name));
    expect(missing).toEqual([]);
  });

  describe('its program', () => {
    const folder = mkdtempSync(join(tmpdir(), 'maskflow-docs-'));
    const before = process.cwd();
    const printed: unknown[][] = [];
    let made: typeof import('./diffusion.js');
    beforeAll(async () => {
      const log = vi.spyOn(console, 'log').mockImplementation((...line: unknown[]) => void printed.push(line));
      process.chdir(folder);
      try {
        made = await import('./diffusion.js');
      } finally {
        process.chdir(before);
        log.mockRestore();
      }
    }, 300_000);
    afterAll(() => rmSync(folder, { recursive: true, force: true }));
    const saidAfter = (first: unknown): unknown[] => printed.find((line) => line[0] === first)?.slice(1) ?? [];

    it('learns to count, and its bounds say so', () => {
      expect(Number(saidAfter('loss')[0])).toBeLessThan(0.6);
      // Given the first token nothing is left to guess.
      expect(Number(saidAfter('given the first')[0])).toBeLessThan(7 * 0.4);
      expect(Number(saidAfter('left to right')[0])).toBeLessThan(7 * 0.4);
      expect(saidAfter('written so')).toEqual([true]);
      expect(Number(saidAfter('nats a token')[0])).toBeLessThan(0.7);
    });

    it('unmasks as it says', () => {
      const states = printed.filter(([at]) => typeof at === 'number');
      expect(states.slice(0, 4).map(([at]) => at)).toEqual([0, 1, 2, 3]);
      expect(states[0]).toEqual([0, '3░░░░░░░', '░░░░░░░']);
      expect(states[3]?.[1]).toBe('34567801');
      expect(saidAfter('the same')).toEqual([true]);
      const last = states.at(-1) as [number, string, string];
      expect([last[0], last[1]]).toEqual([7, '34567801']);
      expect(states.at(-2)?.[1]).toBe('3456780░');
    });

    it('prints the figures of the document', () => {
      const [bits24, , bits53] = saidAfter('largest noise of 24 bits') as [number, string, number];
      expect(document).toContain(bits24.toFixed(2));
      expect(document).toContain(bits53.toFixed(2));
      const [law] = saidAfter('cut at 0') as [Float64Array];
      expect(document).toContain(Array.from(law, (p) => p.toFixed(3)).join(', '));
    });

    it('has chains that run', async () => {
      for (const chain of [made.timeFree, made.cosine]) {
        const { columns } = await lastValueFrom(chain.pipe(take(1)));
        expect((columns.weight as Column).shape).toEqual([64]);
      }
      const { columns } = await lastValueFrom(made.padded);
      const [weight, diffusion] = [columns.weight as Column, columns.diffusion as Column];
      expect([...weight.data].map((x) => x > 0)).toEqual([...diffusion.data].map((x) => x > 0));
      const { rows } = await lastValueFrom(made.nonsense);
      expect(rows.every(({ masked }) => !masked.includes(1))).toBe(true);
    });
  });
});
