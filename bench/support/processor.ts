import { readFileSync } from 'node:fs';

/** Seconds that all processors of the machine have worked so far, in ticks of 10 ms (Linux); undefined elsewhere. */
export function busySeconds(): number | undefined {
  try {
    // cpu user nice system idle iowait irq softirq steal …: all but idle and iowait.
    const ticks = readFileSync('/proc/stat', 'utf8').split('\n', 1)[0]?.trim().split(/\s+/).slice(1, 9).map(Number) as number[];
    return ticks.reduce((sum, count, i) => (i === 3 || i === 4 ? sum : sum + count), 0) / 100;
  } catch {
    return undefined;
  }
}
