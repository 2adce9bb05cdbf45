import fc from 'fast-check';
import { type Observable, lastValueFrom, skip, take, takeWhile, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { MaskflowError } from '../../src/core/errors.js';
import { recipe } from '../../src/core/recipe.js';
import {
  type Network,
  type Sampler,
  type UnmaskState,
  ancestral,
  blocks,
  canvas,
  confidence,
  cosineNoise,
  countOf,
  entropy,
  entropyBounded,
  firstHitting,
  mapBounded,
  margin,
  randomOrder,
  remasking,
  stepCounts,
  threshold,
  unmask,
  unmaskLine,
} from '../../src/operators/index.js';
import { contextual } from './samplers/networks.js';

const V = 5;
const maskId = V;
const all = (chain: Observable<UnmaskState>): Promise<UnmaskState[]> => lastValueFrom(chain.pipe(toArray()));

/** Every sampler, in steps of its own, with the plan of counts where it has one. */
const samplers: readonly (readonly [string, Sampler, ((masks: number) => Int32Array)?])[] = [
  ['ancestral', ancestral({ steps: 7 })],
  ['ancestral, cosine', ancestral({ steps: 5, schedule: cosineNoise() })],
  ['ancestral without a cache', ancestral({ steps: 7, cache: false })],
  ['confidence', confidence({ steps: 4 }), (masks) => stepCounts(masks, 4)],
  ['confidence, floored and hot', confidence({ steps: 6, counts: 'floor', temperature: 1 }), (masks) => stepCounts(masks, 6, 'floor')],
  ['confidence, cosine with noise', confidence({ steps: 3, counts: 'cosine', noise: 4 }), (masks) => stepCounts(masks, 3, 'cosine')],
  ['margin', margin({ steps: 4, temperature: 0.7 }), (masks) => stepCounts(masks, 4)],
  ['entropy', entropy({ noise: 1 }), (masks) => stepCounts(masks, Math.max(1, masks))],
  ['randomOrder', randomOrder({ steps: 3 }), (masks) => stepCounts(masks, 3)],
  ['entropyBounded', entropyBounded({ bound: 1, temperature: 1 })],
  ['threshold', threshold({ least: 0.6 })],
  ['blocks of confidence', blocks(confidence({ steps: 2 }), { size: 3 })],
  ['blocks of firstHitting', blocks(firstHitting(), { size: 3 })],
  ['firstHitting', firstHitting(), (masks) => stepCounts(masks, Math.max(1, masks))],
  ['firstHitting in parallel', firstHitting({ steps: 4 }), (masks) => stepCounts(masks, 4)],
  ['firstHitting, extrapolation', firstHitting({ steps: 4, variant: 'extrapolation' }), (masks) => stepCounts(masks, 4)],
];
/** Those that write visible tokens anew. */
const rewriting: typeof samplers = [
  ['remasking', remasking({ steps: 4, temperature: 1 }), (masks) => stepCounts(masks, 4)],
  ['firstHitting, predictorCorrector', firstHitting({ steps: 4, variant: 'predictorCorrector' }), (masks) => stepCounts(masks, 4)],
];

/** Rows of prompts and holes, of different lengths, some without a hole, some empty. */
const texts = fc.array(fc.array(fc.integer({ min: 0, max: V }), { maxLength: 12 }), { minLength: 1, maxLength: 4 });
const seeds = fc.nat(1000);

describe.each([...samplers, ...rewriting].map(([name, sampler, plan]) => ({ name, sampler, plan })))('$name', ({ name, sampler, plan }) => {
  const writesAnew = rewriting.some(([other]) => other === name);
  const run = (rows: readonly (readonly number[])[], seed: number, ids?: readonly number[]): Promise<UnmaskState[]> =>
    all(unmask(contextual(V), sampler, { start: canvas(rows, { maskId, ...(ids === undefined ? {} : { ids }) }), maskId, vocabulary: V, seed }));

  it('keeps prompts bit for bit, never emits the mask, hides nothing at the end, and shows as many as it should', async () => {
    await fc.assert(
      fc.asyncProperty(texts, seeds, async (rows, seed) => {
        const states = await run(rows, seed);
        const last = states.at(-1) as UnmaskState;
        states.forEach((state, k) => expect(state.step).toBe(k));
        rows.forEach((given, r) => {
          const holes = given.filter((id) => id === maskId).length;
          const steps = states.map((state) => state.rows[r] as UnmaskState['rows'][number]);
          const end = last.rows[r] as UnmaskState['rows'][number];
          expect(countOf(end.masked)).toBe(0);
          expect([...end.ids].every((id) => id >= 0 && id < V)).toBe(true);
          const counts = plan?.(holes);
          let shown = 0;
          steps.forEach((row, k) => {
            given.forEach((id, i) => {
              if (id !== maskId) expect([row.ids[i], row.masked[i], row.free[i]]).toEqual([id, 0, 0]);
              else expect(row.masked[i] === 1).toBe(row.ids[i] === maskId);
              const before = steps[k - 1];
              if (before !== undefined && before.masked[i] === 0 && !writesAnew) expect(row.ids[i]).toBe(before.ids[i]);
            });
            if (k > 0 && row !== steps[k - 1] && counts !== undefined) shown += counts[k - 1] ?? 0;
            if (counts !== undefined) expect(countOf(row.masked)).toBe(holes - shown);
            expect(row.time).toBeGreaterThanOrEqual(0);
            // Blocks begin their time anew.
            if (k > 0 && !name.startsWith('blocks')) expect(row.time).toBeLessThanOrEqual((steps[k - 1] as typeof row).time);
          });
        });
      }),
      { numRuns: 25 },
    );
  });

  it('gives a row the same tokens alone, beside others, and gone on from any of its states', async () => {
    await fc.assert(
      fc.asyncProperty(texts, seeds, fc.nat(5), async (rows, seed, at) => {
        const ids = rows.map((_, r) => 10 * r + 3);
        const states = await run(rows, seed, ids);
        const together = (states.at(-1) as UnmaskState).rows.map((row) => [...row.ids]);
        for (const r of rows.keys()) {
          const alone = await run([rows[r] as number[]], seed, [ids[r] as number]);
          expect([...((alone.at(-1) as UnmaskState).rows[0] as UnmaskState['rows'][number]).ids]).toEqual(together[r]);
        }
        const start = states[Math.min(at, states.length - 1)] as UnmaskState;
        const rest = await all(unmask(contextual(V), sampler, { start, maskId, vocabulary: V, seed }));
        expect(rest).toEqual(states.slice(start.step));
      }),
      { numRuns: 12 },
    );
  });

  it('carries its recipe as plain data', () => {
    expect(JSON.parse(JSON.stringify(sampler.recipe))).toEqual(sampler.recipe);
    expect(sampler.recipe.name).toBe(name.split(/[ ,]/)[0]);
  });
});

describe('unmask', () => {
  const start = canvas([[1, maskId, 2]], { maskId, generate: 5 });
  const options = { start, maskId, vocabulary: V };

  it('draws other tokens for other seeds, names and row ids', async () => {
    const tokens = async (more: object): Promise<string> => {
      const { rows } = await lastValueFrom(unmask(contextual(V), firstHitting(), { ...options, ...more }));
      return String(rows[0]?.ids);
    };
    const kinds = [{}, { seed: 1 }, { name: 'other' }, { start: canvas([[1, maskId, 2]], { maskId, generate: 5, ids: [7] }) }];
    expect(new Set(await Promise.all(kinds.map(tokens))).size).toBe(4);
    expect(await tokens({})).toBe(await tokens({ seed: 0, name: 'unmask' }));
  });

  it('emits the start alone where nothing is hidden, also of no rows', async () => {
    const calls = { count: 0 };
    for (const rows of [[], [[]], [[1, 2]]]) {
      const given = canvas(rows, { maskId });
      expect(await all(unmask(contextual(V, calls), confidence(), { ...options, start: given }))).toEqual([given]);
    }
    expect(calls.count).toBe(0);
  });

  it('calls the network no more once it is cut', async () => {
    const calls = { count: 0 };
    const cut = await all(unmask(contextual(V, calls), confidence(), options).pipe(take(3)));
    expect(cut.map(({ step, passes }) => [step, passes])).toEqual([
      [0, 0],
      [1, 1],
      [2, 2],
    ]);
    expect(calls.count).toBe(2);
    const some = await all(
      unmask(contextual(V), confidence(), options).pipe(takeWhile(({ rows }) => countOf((rows[0] as UnmaskState['rows'][number]).masked) > 3)),
    );
    expect(some.length).toBe(3);
  });

  it('makes its next step only when what is below has room', async () => {
    const calls = { count: 0 };
    let most = 0;
    const seen: number[] = [];
    const slow = mapBounded<UnmaskState, UnmaskState>(
      async (state) => {
        most = Math.max(most, calls.count - seen.length);
        await new Promise((resolve) => setTimeout(resolve, 2));
        seen.push(state.step);
        return state;
      },
      { per: 'sample', concurrency: 1 },
    );
    const long = canvas([[]], { maskId, generate: 24 });
    await lastValueFrom(unmask(contextual(V, calls), confidence(), { ...options, start: long }).pipe(slow, skip(0)));
    expect(seen).toEqual(Array.from({ length: 25 }, (_, i) => i));
    expect(most).toBeLessThanOrEqual(4);
  });

  it('counts calls of the network: one a token, one a step, none in steps that fix nothing', async () => {
    const passes = async (sampler: Sampler): Promise<number> => {
      const calls = { count: 0 };
      const state = await lastValueFrom(unmask(contextual(V, calls), sampler, options));
      expect(state.passes).toBe(calls.count);
      return calls.count;
    };
    expect(await passes(firstHitting())).toBe(6);
    expect(await passes(firstHitting({ steps: 3 }))).toBe(3);
    expect(await passes(confidence({ steps: 20 }))).toBe(6);
    expect(await passes(confidence({ steps: 2 }))).toBe(2);
    expect(await passes(ancestral({ steps: 50, cache: false }))).toBeGreaterThan(20);
    expect(await passes(ancestral({ steps: 10_000 }))).toBeLessThanOrEqual(6);
  });

  it('asks at hidden positions alone, and takes answers for these or for all', async () => {
    const full: Network = (request) => {
      const compact = contextual(V)(request) as Float32Array;
      const logits = new Float32Array(request.rows * request.width * V).fill(Number.NaN);
      request.positions.forEach((position, k) => {
        expect(request.masked[position]).toBe(1);
        logits.set(compact.subarray(k * V, (k + 1) * V), position * V);
      });
      return logits;
    };
    for (const [, sampler] of samplers) {
      const of = (network: Network): Promise<UnmaskState> => lastValueFrom(unmask(network, sampler, options));
      expect((await of(full)).rows[0]?.ids).toEqual((await of(contextual(V))).rows[0]?.ids);
    }
  });

  it('never draws what never comes, the mask id among the logits included', async () => {
    const network: Network = ({ positions }) => Float32Array.from({ length: positions.length * 4 }, (_, i) => [1, 9, 2, 9][i % 4] as number);
    for (const sampler of [confidence(), firstHitting(), ancestral(), threshold(), entropyBounded({ temperature: 1 }), remasking()]) {
      const { rows } = await lastValueFrom(
        unmask(network, sampler, { start: canvas([[]], { maskId: 3, generate: 30 }), maskId: 3, vocabulary: 4, never: [1] }),
      );
      expect([...new Set(rows[0]?.ids)].every((id) => id === 0 || id === 2)).toBe(true);
    }
  });

  it('guides', async () => {
    const tokens = async (guidance: number): Promise<string> =>
      String((await lastValueFrom(unmask(contextual(V), confidence(), { ...options, guidance }))).rows[0]?.ids);
    expect(await tokens(0)).not.toBe(await tokens(3));
  });

  it('waits for a network that answers later', async () => {
    const later: Network = async (request) => {
      await new Promise((resolve) => setTimeout(resolve, 1));
      return contextual(V)(request) as Float32Array;
    };
    const of = (network: Network): Promise<UnmaskState> => lastValueFrom(unmask(network, margin(), options));
    expect(await of(later)).toEqual(await of(contextual(V)));
  });

  const failure = async (network: Network, sampler: Sampler): Promise<string> => {
    try {
      await lastValueFrom(unmask(network, sampler, options));
    } catch (error) {
      expect(error).toBeInstanceOf(MaskflowError);
      return (error as MaskflowError).message;
    }
    throw new Error('nothing failed');
  };
  const writes = (decision: object): Sampler => ({
    recipe: recipe('tests', 'wrong'),
    ask: ({ time }) => ({ time, positions: new Int32Array(0) }),
    decide: ({ time }) => ({ time, positions: new Int32Array(0), tokens: new Int32Array(0), ...decision }),
  });

  it('refuses logits of a wrong size, and names the option', async () => {
    expect(await failure(() => new Float32Array(7), confidence())).toBe(
      'unmask.network: must answer [6, 5] logits, or [1, 8, 5]; got 7. The option vocabulary says how many ids have a logit: 5.',
    );
    expect(await failure(() => new Float32Array(30).fill(Number.NaN), confidence())).toMatch(/^confidence: logits must be numbers.*\(row 0, step 0\)\.$/);
  });

  it('refuses decisions that would break a promise', async () => {
    const none = contextual(V);
    const at = (...positions: number[]) => ({ positions: Int32Array.from(positions), tokens: new Int32Array(positions.length) });
    expect(await failure(none, writes(at(0)))).toBe('wrong: a sampler may write hidden positions alone, each once; got 0 (row 0, step 0).');
    expect(await failure(none, writes(at(1, 1)))).toContain('each once; got 1');
    expect(await failure(none, writes({ ...at(1), tokens: Int32Array.of(maskId) }))).toContain('a token must be an id below 5, not the mask id; got 5');
    expect(await failure(none, writes({ ...at(1), tokens: Int32Array.of(0, 0) }))).toContain('1 positions need as many tokens; got 2');
    expect(await failure(none, writes({ remask: Int32Array.of(0) }))).toContain('may not hide a token of the prompt; got 0');
    expect(await failure(none, writes({ remask: Int32Array.of(1) }))).toContain('may hide only what is visible; got 1');
    expect(await failure(none, writes({ again: true }))).toContain('has asked 10000 times without a decision');
  });

  it('checks its options at once', () => {
    const of = (more: object) => () => unmask(contextual(V), confidence(), { ...options, ...more });
    expect(of({ temprature: 1 })).toThrow('unmask.temprature: there is no such option.');
    expect(of({ start: undefined })).toThrow('unmask.start: must be a state; got undefined. Write canvas([[]], { maskId, generate: 64 }).');
    expect(of({ vocabulary: 0 })).toThrow('unmask.vocabulary: must be an integer of at least 1; got 0');
    expect(of({ vocabulary: 2 })).toThrow('unmask.start: tokens must be below the vocabulary of 2 ids; got 2 (row 0).');
    expect(of({ never: [0, 1, 2, 3, 4] })).toThrow('unmask.never: must leave one of the 5 ids');
    expect(() => unmask({} as never, confidence(), options)).toThrow(
      'unmask.network: must be a function of a request; got {}. For a model write networkOf(executor, program).',
    );
    expect(() => unmask(contextual(V), {} as never, options)).toThrow('unmask.sampler: must be a sampler');
  });
});

describe('options of samplers', () => {
  it('are refused where they are wrong', () => {
    expect(() => confidence({ steps: 0 })).toThrow('confidence.steps: must be an integer of at least 1; got 0');
    expect(() => margin({ step: 3 } as never)).toThrow('margin.step: there is no such option. Did you mean steps?');
    expect(() => entropy({ temperature: -1 })).toThrow('entropy.temperature: must be a finite number of at least 0; got -1.');
    expect(() => randomOrder({ noise: 1 } as never)).toThrow('randomOrder.noise: there is no such option');
    expect(() => entropyBounded({ bound: -1 })).toThrow('entropyBounded.bound: must be a number of at least 0; got -1');
    expect(() => threshold({ least: 0 })).toThrow('threshold.least: must lie in (0, 1]; got 0');
    expect(() => blocks(confidence(), { size: 0 })).toThrow('blocks.size: must be an integer of at least 1; got 0');
    expect(() => blocks(undefined as never, { size: 2 })).toThrow(
      'blocks.inner: must be a sampler; got undefined. Write blocks(confidence({ steps: 8 }), { size: 32 }).',
    );
    expect(() => ancestral({ schedule: {} as never })).toThrow(
      'ancestral.schedule: must be a noise schedule; got {}. Try linearNoise(), cosineNoise() or md4Noise().',
    );
    expect(() => firstHitting({ variant: 'third' as never })).toThrow(
      'firstHitting.variant: must be the name of a variant; got "third". Known: plain, extrapolation, predictorCorrector.',
    );
    expect(() => firstHitting({ variant: 'extrapolation', temperature: 0.5 })).toThrow(
      'firstHitting.temperature: must be 1 for the variant extrapolation; got 0.5',
    );
    expect(() => confidence({ counts: 'odd' as never })).toThrow('confidence.counts: must be the name of a plan');
    expect(() => canvas([[1.5]], { maskId: 9 })).toThrow('canvas: token 0 of row 0 must be an id of at least 0; got 1.5');
    expect(() => canvas([[1], [2]], { maskId: 9, ids: [1, 1] })).toThrow('canvas.ids: must be one number a row, all different');
  });
});

describe('unmaskLine', () => {
  it('shows hidden tokens, and nothing that a terminal would obey', () => {
    const textOf = (id: number): string => ['a', ' b', '\u001b[2J', '\n'][id] as string;
    expect(unmaskLine({ ids: Int32Array.of(0, 9, 1, 2, 3), masked: Uint8Array.of(0, 1, 0, 0, 0) }, { textOf })).toBe('a░ b [2J ');
    expect(unmaskLine({ ids: Int32Array.of(0, 9), masked: Uint8Array.of(0, 1) }, { textOf, hidden: '[MASK]', between: ' ' })).toBe('a [MASK]');
    expect(() => unmaskLine({ ids: new Int32Array(0), masked: new Uint8Array(0) }, {} as never)).toThrow('unmaskLine.textOf: must be a function of an id');
  });
});
