// What every benchmark prints: one JSON object a line on stdout, with the machine that it was measured on.
import { cpus } from 'node:os';

const date = new Date().toISOString();
const cpu = cpus()[0]?.model ?? 'unknown';

/** Prints one line: the benchmark's name, its figures, then node version, CPU model and number, and when the process started. */
export function line(bench: string, figures: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify({ bench, ...figures, node: process.version, cpu, cpus: cpus().length, date }));
}
