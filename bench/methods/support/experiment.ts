// What a script of bench/methods prints: JSON lines on stdout, which docs/results.md is made of, and a table of them on stderr.
import { line } from '../../support/line.js';
import { renderFigures } from './renderResults.js';
import type { EffectLine, FigureLine, ScriptLine } from './resultLines.js';

export const mean = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0) / values.length;

export interface ExperimentOptions {
  /** Name of the script: that of its file. */
  readonly name: string;
  /** What is done, for a reader of the table: one sentence. */
  readonly about: string;
  /** The card that the experiment stands on. */
  readonly card: string;
  readonly seeds: readonly number[];
  /** Sizes: data, model, steps. */
  readonly sizes: string;
}

export interface Experiment {
  /** A measured figure, one value a seed. */
  figure(figure: Omit<FigureLine, 'bench' | 'kind'>): void;
  /** A claim, and whether the values show it. */
  effect(effect: Omit<EffectLine, 'bench' | 'kind'>): void;
  /** To be called last: prints the script's own line, with the time that it took, and the table. */
  end(): void;
}

/**
 * Begins an experiment.
 *
 * @example
 * const { figure, effect, end } = experiment({ name: 'lem', about: '…', card: 'lem', seeds: [0, 1, 2], sizes: '…' });
 */
export function experiment({ name, ...said }: ExperimentOptions): Experiment {
  const begin = performance.now();
  const bench = `methods/${name}`;
  const figures: FigureLine[] = [];
  const effects: EffectLine[] = [];
  const print = <T extends FigureLine | EffectLine | ScriptLine>(made: T): T => {
    const { bench: of, ...rest } = made;
    line(of, rest);
    return made;
  };
  return {
    figure: (one) => void figures.push(print({ bench, kind: 'figure', ...one })),
    effect: (one) => void effects.push(print({ bench, kind: 'effect', ...one })),
    end() {
      const seconds = Math.round((performance.now() - begin) / 100) / 10;
      print({ bench, kind: 'script', ...said, seconds, quiet: process.env.BENCH_QUIET === '1', options: process.argv.slice(2) });
      console.error(renderFigures(figures));
      for (const { effect, rule, shown } of effects) console.error(`${shown ? 'shown' : 'not shown'}: ${effect} (${rule})`);
    },
  };
}
