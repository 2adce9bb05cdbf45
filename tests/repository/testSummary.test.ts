// The last line of .ci/run, from reports as vitest writes them.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';

const TOOL = resolve(import.meta.dirname, '../../tools/testSummary.mjs');
const folder = mkdtempSync(join(tmpdir(), 'maskflow-summary-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function summary(report: object | string | undefined, exitCode: number): string {
  const file = join(folder, 'report.json');
  rmSync(file, { force: true });
  if (report !== undefined) writeFileSync(file, typeof report === 'string' ? report : JSON.stringify(report));
  const { status, stdout } = spawnSync(process.execPath, [TOOL, file, String(exitCode)], { encoding: 'utf8' });
  expect(status).toBe(stdout.includes(' 0 failed') ? 0 : 1);
  return stdout;
}

const file = (status: string, ...tests: string[]) => ({ status, assertionResults: tests.map((one) => ({ status: one })) });

describe('testSummary', () => {
  it('counts what passed', () => {
    expect(summary({ numPassedTests: 7, numFailedTests: 0, numPendingTests: 0, numTodoTests: 0, testResults: [] }, 0)).toBe('7 passed, 0 failed\n');
  });

  it('names skipped tests', () => {
    expect(summary({ numPassedTests: 7, numFailedTests: 0, numPendingTests: 2, numTodoTests: 1, testResults: [] }, 0)).toBe('7 passed, 0 failed, 3 skipped\n');
  });

  it('counts failed tests once', () => {
    expect(summary({ numPassedTests: 1, numFailedTests: 2, testResults: [file('failed', 'passed', 'failed', 'failed')] }, 1)).toBe('1 passed, 2 failed\n');
  });

  it('counts a file that did not load as one failure', () => {
    expect(summary({ numPassedTests: 3, numFailedTests: 0, testResults: [file('failed'), file('passed', 'passed')] }, 1)).toBe('3 passed, 1 failed\n');
  });

  it('never says 0 failed when the run failed', () => {
    expect(summary(undefined, 1)).toBe('0 passed, 1 failed\n');
    expect(summary({ numPassedTests: 3, numFailedTests: 0, testResults: [] }, 130)).toBe('3 passed, 1 failed\n');
  });

  it('never says 0 failed when nothing ran or the report is broken', () => {
    expect(summary(undefined, 0)).toBe('0 passed, 1 failed\n');
    expect(summary('{"numPassedTests": 3', 1)).toBe('0 passed, 1 failed\n');
  });
});
