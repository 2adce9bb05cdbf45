import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { concat, from, throwError } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/index.js';
import { recipe } from '../../src/core/recipe.js';
import { confidence } from '../../src/operators/samplers/confidence.js';
import type { Tokenizer } from '../../src/operators/views/tokenizer.js';
import { type SamplesOptions, neverDrawn, samples, shownStates } from '../../src/sinks/samples.js';
import { fakeRun, folder, steps, stepped, through } from './steps.js';
import { encoder, vocabulary } from './textRun.js';

/** Ids: 0 the mask, 1 [S], the others letters with a space in front. */
const letters = ['[M]', '[S]', ' a', ' b', ' c', ' d', ' e', ' f'];
const words: Tokenizer = {
  vocabulary,
  ids: { mask: 0 },
  maskId: 0,
  special: Uint8Array.from(letters, (_, id) => (id < 2 ? 1 : 0)),
  template: {
    single: [
      { id: 1, segment: 0 },
      { text: 0, segment: 0 },
    ],
    pair: [],
  },
  fingerprint: 'letters',
  recipe: recipe('tests', 'letters', {}),
  encode: async (texts) =>
    texts.map((text) => {
      const ids = [...(text as string).replaceAll('[M]', 'M').replaceAll(' ', '')].map((letter) => (letter === 'M' ? 0 : letters.indexOf(` ${letter}`)));
      return { ids, words: ids.map((_, i) => i), wordCount: ids.length };
    }),
  decode: (ids, { special = false } = {}) =>
    Array.from(ids)
      .filter((id) => special || id > 1)
      .map((id) => letters[id])
      .join(''),
  token: (id) => letters[id],
};

/** Sends finished steps through the sink, with a model of first weights. */
async function sampled(
  options: Partial<SamplesOptions>,
  items: Parameters<typeof through>[1],
  { seed = 1, resumed, path = folder() }: { seed?: number; resumed?: number; path?: string } = {},
) {
  const executor = await createExecutor({ backend: 'cpu', seed });
  const said: string[] = [];
  const run = { ...fakeRun({ folder: path, said, ...(resumed === undefined ? {} : { resumed }) }), executor, seed };
  try {
    const out = await through(samples('samples.jsonl', { model: encoder, words, length: 5, rows: 2, ...options }), items, run);
    const file = join(path, 'samples.jsonl');
    const lines = existsSync(file)
      ? readFileSync(file, 'utf8')
          .trimEnd()
          .split('\n')
          .map((line) => JSON.parse(line) as { step: number; row: number; text: string; passes: number })
      : [];
    return { out, said, lines, path };
  } finally {
    executor.dispose();
  }
}

describe('samples', () => {
  it('writes a line a row, every so many steps and after the last, and passes steps on', async () => {
    const { out, lines } = await sampled({ every: 3 }, steps(1, 7));
    expect(out).toHaveLength(7);
    expect(lines.map(({ step, row }) => [step, row])).toEqual(
      [3, 6, 7].flatMap((step) => [
        [step, 0],
        [step, 1],
      ]),
    );
    for (const { text, passes } of lines) {
      expect(text).toMatch(/^[a-f]( [a-f]){4}$/u);
      expect(passes).toBe(5);
    }
    // The last step is not sampled twice.
    expect((await sampled({ every: 3 }, steps(1, 6))).lines.map(({ step }) => step)).toEqual([3, 3, 6, 6]);
  });

  it('draws the same at every step and in every run of a seed', async () => {
    const { lines } = await sampled({ every: 1 }, steps(1, 2));
    expect(lines.slice(2).map(({ text }) => text)).toEqual(lines.slice(0, 2).map(({ text }) => text));
    expect(lines[0]?.text).not.toBe(lines[1]?.text);
    const other = await sampled({ every: 1 }, steps(1, 1), { seed: 2 });
    expect(other.lines[0]?.text).not.toBe(lines[0]?.text);
  });

  it('shows the first row as it appears, and how the others end', async () => {
    const { said, lines } = await sampled({ rows: 3, shown: 3 }, steps(1, 1));
    expect(said[0]).toBe('samples at step 1 (firstHitting, 5 passes):');
    expect(said).toHaveLength(1 + 3 + 2);
    expect(said[1]).toBe('  ░░░░░');
    expect(said[2]?.match(/░/gu)?.length).toBeGreaterThan(0);
    expect(said[3]).toBe(`  ${lines[0]?.text}`);
    expect(said.slice(4)).toEqual(lines.slice(1).map(({ text }) => `· ${text}`));
    expect((await sampled({ shown: 0 }, steps(1, 1))).said).toEqual([]);
  });

  it('begins rows with prompts by turns, and takes any sampler', async () => {
    const { lines, said } = await sampled({ rows: 3, prompts: ['a b', 'c [M] d'], length: 2, sampler: confidence({ steps: 2 }) }, steps(1, 1));
    expect(lines.map(({ text }) => text)).toEqual([expect.stringMatching(/^a b/u), expect.stringMatching(/^c [a-f] d/u), expect.stringMatching(/^a b/u)]);
    expect(said[0]).toBe('samples at step 1 (confidence, 2 passes):');
  });

  it('of a resumed run stand behind those up to its checkpoint', async () => {
    const path = folder();
    const old = [2, 4, 6].map((step) => JSON.stringify({ step, row: 0, text: 'old', passes: 1 })).join('\n');
    writeFileSync(join(path, 'samples.jsonl'), `${old}\n`);
    const { lines } = await sampled({ every: 2, rows: 1 }, [stepped(5), stepped(6)], { resumed: 4, path });
    expect(lines.map(({ step, text }) => [step, text === 'old'])).toEqual([
      [2, true],
      [4, true],
      [6, false],
    ]);
    // A fresh run begins a new file.
    expect((await sampled({ every: 2, rows: 1 }, [stepped(2)], { path })).lines.map(({ step }) => step)).toEqual([2]);
  });

  it('does not sample at the end of a run that failed', async () => {
    const path = folder();
    const failing = concat(
      from(steps(1, 3)),
      throwError(() => new Error('torn')),
    );
    await expect(sampled({ every: 10 }, failing, { path })).rejects.toThrow('torn');
    expect(existsSync(join(path, 'samples.jsonl'))).toBe(false);
  });

  it('says which option is wrong', () => {
    const options = { model: encoder, words };
    expect(() => samples('', options)).toThrow('samples.file: must be a path; got "". Write samples(out(\'samples.jsonl\'), { … }).');
    expect(() => samples('x', { ...options, model: {} as never })).toThrow('samples.model: must be a text model');
    expect(() => samples('x', { ...options, words: {} as never })).toThrow('samples.words: must be a tokenizer');
    expect(() => samples('x', { ...options, sampler: {} as never })).toThrow('samples.sampler: must be a sampler; got {}. Try confidence({ steps: 16 }).');
    expect(() => samples('x', { ...options, prompts: [] })).toThrow('samples.prompts: must hold at least one text');
    expect(() => samples('x', { ...options, length: 0 })).toThrow('samples.length: must be an integer of at least 1; got 0');
    expect(() => samples('x', { ...options, evry: 2 } as never)).toThrow('samples.evry: there is no such option. Did you mean every?');
  });
});

describe('the pure half', () => {
  it('chooses states evenly, first and last included', () => {
    const states = [0, 1, 2, 3, 4, 5, 6, 7, 8];
    expect([0, 1, 2, 3, 5, 20].map((count) => shownStates(states, count))).toEqual([[], [8], [0, 8], [0, 4, 8], [0, 2, 4, 6, 8], states]);
    expect(shownStates([], 3)).toEqual([]);
  });

  it('never draws special ids, the unknown one, and ids without a token', () => {
    expect(neverDrawn(words, 10)).toEqual([0, 1, 8, 9]);
    expect(neverDrawn({ ...words, ids: { unk: 5 } }, 8)).toEqual([0, 1, 5]);
  });
});
