// First hitting against ancestral sampling on an exact network (a Markov chain of 8 symbols, 3 allowed successors, 16 tokens): network
// calls, categorical draws, time, forbidden transitions a sequence. With an exact network and one token an event there are none;
// those of ancestral sampling come from tokens that are drawn together. Three chains and seeds, 1,024 sequences each.
// Run: node node_modules/jiti/lib/jiti-cli.mjs bench/methods/firstHitting.ts
import { type Sampler, ancestral, canvas, countOf, firstHitting, unmask } from 'maskflow';
import { lastValueFrom, tap } from 'rxjs';
import { chainNetwork, forbidden, randomChain } from './markovChain.js';
import { printTable } from './printTable.js';

const [L, rows, seeds] = [16, 1024, [0, 1, 2]];
const samplers: readonly (readonly [string, Sampler])[] = [
  ['first hitting', firstHitting()],
  ...[8, 4].flatMap((steps) =>
    (['plain', 'extrapolation', 'predictorCorrector'] as const).map(
      (variant) => [`first hitting, ${steps} steps, ${variant}`, firstHitting({ steps, variant })] as const,
    ),
  ),
  ...[8, 16, 32, 64, 256, 1024].map((steps) => [`ancestral, ${steps} steps`, ancestral({ steps })] as const),
];

const table: string[][] = [];
for (const [name, sampler] of samplers) {
  const figures = await Promise.all(
    seeds.map(async (seed) => {
      const chain = randomChain(seed);
      const start = canvas(
        Array.from({ length: rows }, () => []),
        { maskId: chain.symbols, generate: L },
      );
      const begin = performance.now();
      let usual = 0;
      const network = chainNetwork(chain);
      const state = await lastValueFrom(
        unmask(network, sampler, { start, maskId: chain.symbols, vocabulary: chain.symbols, seed }).pipe(
          // What a sampler without a cache would draw: every hidden token, in every step.
          tap(({ rows: now }) => now.forEach((row) => (usual += countOf(row.masked)))),
        ),
      );
      const sum = state.rows.reduce((all, { ids }) => all + forbidden(chain, ids), 0);
      return { passes: state.passes, usual: usual / rows, violations: sum / rows, seconds: (performance.now() - begin) / 1000 };
    }),
  );
  const mean = (of: 'passes' | 'usual' | 'violations' | 'seconds'): number => figures.reduce((sum, figure) => sum + figure[of], 0) / figures.length;
  const spread = Math.max(...figures.map(({ violations }) => violations)) - Math.min(...figures.map(({ violations }) => violations));
  table.push([name, mean('passes').toFixed(0), mean('usual').toFixed(0), mean('violations').toFixed(3), spread.toFixed(3), mean('seconds').toFixed(2)]);
}
printTable(['sampler', 'calls', 'draws a row without a cache', 'forbidden a row', 'range over seeds', 's'], table);
