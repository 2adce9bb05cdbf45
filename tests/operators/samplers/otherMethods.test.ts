// The seam carries methods that are not built in, without change: a look-ahead sampler (info-gain), one with a second network that
// updates predictions after every token (joint sampling), one with a cache and local passes (ReCAP), and one that writes by the mean
// confidence and freezes its outputs (MDiff4STR). Small versions, with the vectors of their cards.
import { lastValueFrom, toArray } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { recipe } from '../../../src/core/recipe.js';
import { beginDraws } from '../../../src/operators/masks/draws.js';
import {
  type Network,
  type NetworkRequest,
  type Sampler,
  type Seen,
  canvas,
  drawToken,
  positionsOf,
  tokenStats,
  unmask,
} from '../../../src/operators/index.js';
import { contextual, independent } from './networks.js';

const none = new Int32Array(0);

describe('info-gain: looks one step ahead', () => {
  /** K = 1; candidates are every hidden position with its best token; J' = −C − mean entropy of what is left. */
  const infoGain: Sampler = {
    recipe: recipe('tests', 'infoGain'),
    ask({ masked, ids, time, memory }) {
      const hidden = positionsOf(masked);
      const candidates = memory as { position: number; token: number; cost: number }[] | undefined;
      if (candidates === undefined) return { time, positions: hidden };
      const states = candidates.map(({ position, token }) => {
        const state = ids.slice();
        state[position] = token;
        return state;
      });
      return { time, positions: hidden, states };
    },
    decide({ time, memory }, seen) {
      const { positions } = seen.ask;
      const candidates = memory as { position: number; token: number; cost: number }[] | undefined;
      if (candidates === undefined) {
        const next = Array.from(positions, (position, i) => {
          const { best, entropy } = tokenStats(seen, seen.from(i));
          return { position, token: best, cost: entropy };
        });
        return { time, positions: none, tokens: none, memory: next, again: true };
      }
      const scores = candidates.map(({ position, cost }, c) => {
        let sum = 0;
        positions.forEach((other, i) => {
          if (other !== position) sum += tokenStats(seen, seen.from(i, c)).entropy;
        });
        return -cost - sum / Math.max(1, positions.length - 1);
      });
      const best = candidates[scores.indexOf(Math.max(...scores))] as (typeof candidates)[number];
      return { time, positions: Int32Array.of(best.position), tokens: Int32Array.of(best.token) };
    },
  };

  it('takes B first, which determines A, where entropy would take A', async () => {
    // A at 0: (.9, .1) over two ids; B at 1: uniform over four; once B is known A is certain.
    const requests: NetworkRequest[] = [];
    const network: Network = (request) => {
      requests.push(request);
      return Float32Array.from(
        Array.from(request.positions).flatMap((position) => {
          const [row, i] = [Math.floor(position / 2), position % 2];
          if (i === 1) return [0, 0, 0, 0];
          const known = request.ids[2 * row + 1] !== 4;
          return known ? [0, -1e4, -1e4, -1e4] : [Math.log(0.9), Math.log(0.1), -1e4, -1e4];
        }),
      );
    };
    const states = await lastValueFrom(
      unmask(network, infoGain, { start: canvas([[]], { maskId: 4, generate: 2 }), maskId: 4, vocabulary: 4 }).pipe(toArray()),
    );
    expect(states.map(({ rows }) => rows[0]?.masked.join(''))).toEqual(['11', '10', '00']);
    // The state itself, then both candidates in one call, stacked.
    expect(requests.map(({ rows }) => rows)).toEqual([1, 2, 1, 1]);
    expect(states.map(({ passes }) => passes)).toEqual([0, 2, 4]);
    expect([...(requests[1] as NetworkRequest).ids]).toEqual([0, 4, 4, 0]);
  });

  it('thinks for each row by itself', async () => {
    const run = async (rows: readonly (readonly number[])[], ids: readonly number[]): Promise<string[]> => {
      const state = await lastValueFrom(unmask(contextual(4), infoGain, { start: canvas(rows, { maskId: 4, generate: 3, ids }), maskId: 4, vocabulary: 4 }));
      return state.rows.map((row) => String(row.ids));
    };
    const both = await run([[1], [2, 3, 0]], [0, 1]);
    expect(both).toEqual([...(await run([[1]], [0])), ...(await run([[2, 3, 0]], [1]))]);
  });
});

describe('joint sampling: a second network after every token', () => {
  it('draws K tokens a full pass, K − 1 calls of the small network between them, which are given what the last one kept', async () => {
    interface Memory {
      readonly kept: unknown;
      readonly drawn: number;
    }
    const K = 4;
    const joint: Sampler = {
      recipe: recipe('tests', 'joint'),
      ask({ masked, time, memory }) {
        const { kept, drawn } = (memory as Memory | undefined) ?? { kept: undefined, drawn: K };
        return { time, positions: positionsOf(masked), ...(drawn === K ? {} : { pass: 'sampler', given: kept }) };
      },
      decide({ time, memory }, seen, key) {
        const { positions } = seen.ask;
        const entropies = Array.from(positions, (_, i) => tokenStats(seen, seen.from(i)).entropy);
        const i = entropies.indexOf(Math.min(...entropies));
        const before = (memory as Memory | undefined)?.drawn ?? K;
        beginDraws(key);
        const token = drawToken(seen, seen.from(i), 1);
        return {
          time,
          positions: Int32Array.of(positions[i] as number),
          tokens: Int32Array.of(token),
          memory: { kept: seen.kept?.[0], drawn: (before % K) + 1 },
        };
      },
    };
    for (const [masks, base] of [
      [16, 4],
      [5, 2],
    ] as const) {
      const calls = { full: 0, sampler: 0 };
      const network: Network = (request) => {
        calls[request.pass as 'full' | 'sampler']++;
        if (request.pass === 'sampler') expect(request.given[0]).toBe(`hidden ${calls.full + calls.sampler - 1}`);
        return { logits: contextual(3)(request) as Float32Array, kept: [`hidden ${calls.full + calls.sampler}`] };
      };
      await lastValueFrom(unmask(network, joint, { start: canvas([[]], { maskId: 3, generate: masks }), maskId: 3, vocabulary: 3 }));
      expect(calls).toEqual({ full: base, sampler: masks - base });
    }
  });
});

describe('ReCAP: groups, with local passes over a cache', () => {
  it('asks at the group alone, hands over cache and group, and equals finer steps where the group holds all positions', async () => {
    interface Memory {
      readonly group: Int32Array;
      readonly cache: unknown;
    }
    /** One group of all hidden positions in order, one token a sub-step. */
    const recap: Sampler = {
      recipe: recipe('tests', 'recap'),
      ask({ masked, time, memory }) {
        const { group, cache } = (memory as Memory | undefined) ?? { group: positionsOf(masked), cache: undefined };
        const left = group.filter((i) => masked[i] === 1);
        return { time, positions: left, ...(cache === undefined ? {} : { pass: 'local', given: { cache, group } }) };
      },
      decide({ time, memory, masked }, seen, key) {
        beginDraws(key);
        const group = (memory as Memory | undefined)?.group ?? positionsOf(masked);
        const cache = (memory as Memory | undefined)?.cache ?? seen.kept?.[0];
        return {
          time,
          positions: seen.ask.positions.subarray(0, 1),
          tokens: Int32Array.of(drawToken(seen, seen.from(0), 1)),
          memory: { group, cache } satisfies Memory,
        };
      },
    };
    const plain: Sampler = {
      ...recap,
      ask: ({ masked, time }) => ({ time, positions: positionsOf(masked) }),
      decide: (row, seen, key) => ({ ...recap.decide(row, seen, key), memory: undefined }),
    };
    const passes: string[] = [];
    const network: Network = (request) => {
      passes.push(request.pass);
      if (request.pass === 'local') expect(request.given[0]).toEqual({ cache: 'keys', group: Int32Array.of(1, 2, 3) });
      return { logits: contextual(3)(request) as Float32Array, kept: ['keys'] };
    };
    const options = { start: canvas([[1]], { maskId: 3, generate: 3 }), maskId: 3, vocabulary: 3 };
    const cached = await lastValueFrom(unmask(network, recap, options));
    expect(passes).toEqual(['full', 'local', 'local']);
    expect(cached.rows[0]?.ids).toEqual((await lastValueFrom(unmask(network, plain, options))).rows[0]?.ids);
  });
});

describe('MDiff4STR: writes above the mean confidence before the first predicted end', () => {
  const EOS = 0;
  /** Three steps; the last one, and one where nothing is valid, write all that is left. */
  const lowConfidence: Sampler = {
    recipe: recipe('tests', 'lowConfidence'),
    ask: ({ masked, time }) => ({ time, positions: positionsOf(masked) }),
    decide({ time, step }, seen) {
      const { positions } = seen.ask;
      const stats = Array.from(positions, (_, i) => tokenStats(seen, seen.from(i)));
      const end = stats.findIndex(({ best }) => best === EOS);
      const valid = [...positions.keys()].filter((i) => end >= 0 && i <= end);
      const mean = valid.reduce((sum, i) => sum + (stats[i]?.first as number), 0) / valid.length;
      const chosen = step === 2 ? [...positions.keys()] : valid.filter((i) => (stats[i]?.first as number) > mean);
      return { time, positions: Int32Array.from(chosen, (i) => positions[i] as number), tokens: Int32Array.from(chosen, (i) => stats[i]?.best as number) };
    },
  };

  it('gives the vector of the card: .9 .8 .4 .95[end] .3 .2 writes 0, 1 and 3', async () => {
    const sure = [0.9, 0.8, 0.4, 0.95, 0.3, 0.2];
    const at = (i: number): number[] =>
      i === 3 ? [0.95, 0.05, 0, 0, 0, 0] : [0, sure[i] as number, ...new Array<number>(4).fill((1 - (sure[i] as number)) / 4)];
    const states = await lastValueFrom(
      unmask(independent(at), lowConfidence, { start: canvas([[]], { maskId: 6, generate: 6 }), maskId: 6, vocabulary: 6 }).pipe(toArray()),
    );
    expect(states[1]?.rows[0]?.masked.join('')).toBe('001011');
    expect(states.length).toBe(4);
    expect(states[3]?.rows[0]?.masked.join('')).toBe('000000');
  });
});

describe('a sampler in the docstring', () => {
  it('goes from left to right', async () => {
    const leftToRight: Sampler = {
      recipe: recipe('mine', 'leftToRight'),
      ask: ({ masked, time }) => ({ time, positions: Int32Array.of(masked.indexOf(1)) }),
      decide({ time }, seen: Seen, key) {
        beginDraws(key);
        return { positions: seen.ask.positions, tokens: Int32Array.of(drawToken(seen, seen.from(0), 1)), time };
      },
    };
    const states = await lastValueFrom(
      unmask(contextual(3), leftToRight, { start: canvas([[]], { maskId: 3, generate: 3 }), maskId: 3, vocabulary: 3 }).pipe(toArray()),
    );
    expect(states.map(({ rows }) => rows[0]?.masked.join(''))).toEqual(['111', '011', '001', '000']);
  });
});
