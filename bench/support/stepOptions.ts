// The options of bench/step.ts, checked.
import { availableParallelism } from 'node:os';
import { delimiter } from 'node:path';
import { parseArgs } from 'node:util';
import { contenderNames, engineNames, findPythons } from './contenders.js';
import { usualWorkloads, workloads } from './workloads.js';

export interface StepOptions {
  readonly workload: readonly string[];
  /** Contenders that are asked for; else all, but for plain JavaScript on the large steps. */
  readonly asked: readonly string[] | undefined;
  /** Threads of every contender. */
  readonly threads: number;
  /** Bursts that are to be kept of each contender. */
  readonly rounds: number;
  /** Seconds of a burst. */
  readonly length: number;
  /** Share of all processors that others may use during a burst. */
  readonly foreign: number;
  /** Seconds for the bursts of one workload. */
  readonly limit: number;
  /** Steps of a soak; 0 = measure. */
  readonly soak: number;
  /** Python by module. */
  readonly pythons: ReadonlyMap<string, string>;
}

function names(list: string, known: readonly string[]): readonly string[] {
  return list.split(',').map((name) => {
    if (known.includes(name)) return name;
    throw new Error(`there is no ${name}; known: ${known.join(', ')}`);
  });
}

/** Reads them off the command line; every option has a default. */
export function stepOptions(args: readonly string[] = process.argv.slice(2)): StepOptions {
  const { values: given } = parseArgs({
    args: [...args],
    options: {
      workload: { type: 'string', default: usualWorkloads.join(',') },
      contenders: { type: 'string' },
      python: { type: 'string', multiple: true },
      threads: { type: 'string', default: String(availableParallelism()) },
      rounds: { type: 'string', default: '12' },
      burst: { type: 'string', default: '1.5' },
      foreign: { type: 'string', default: '0.06' },
      limit: { type: 'string', default: '900' },
      soak: { type: 'string', default: '0' },
    },
  });
  const number = (name: 'threads' | 'rounds' | 'burst' | 'foreign' | 'limit' | 'soak', least: number): number => {
    const value = Number(given[name]);
    if (!(value >= least)) throw new Error(`--${name} must be a number of at least ${least}, not ${given[name]}`);
    return value;
  };
  const soak = number('soak', 0);
  if (soak > 0 && given.contenders === undefined) throw new Error('--soak needs --contenders: those of our engines that are to take so many steps');
  return {
    workload: names(given.workload, Object.keys(workloads)),
    asked: given.contenders === undefined ? undefined : names(given.contenders, soak > 0 ? engineNames : contenderNames),
    threads: number('threads', 1),
    rounds: number('rounds', 1),
    length: number('burst', 0),
    foreign: number('foreign', 0),
    limit: number('limit', 1),
    soak,
    pythons: findPythons(given.python ?? [...(process.env.MASKFLOW_PYTHON?.split(delimiter) ?? []), 'python3']),
  };
}
