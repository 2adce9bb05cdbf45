// Prints the one line `N passed, N failed` (`, N skipped` where some were) from vitest's own JSON report.
// Usage: node tools/testSummary.mjs REPORT.json EXIT_CODE. The exit code is that of the whole `npm test`: if it failed
// before a test ran (install, type check, lint), or the report tells nothing of the failure, that counts as one failed.
// Its own exit code is 1 if anything failed.
import { readFileSync } from 'node:fs';

/** Counts of a report. A file that failed without a failed test (it did not load) is one failure of its own. */
function counts(report, exitCode) {
  const passed = report.numPassedTests ?? 0;
  const skipped = (report.numPendingTests ?? 0) + (report.numTodoTests ?? 0);
  const broken = (report.testResults ?? []).filter((file) => file.status === 'failed' && !file.assertionResults.some((test) => test.status === 'failed'));
  const failed = (report.numFailedTests ?? 0) + broken.length;
  const silent = failed === 0 && (exitCode !== 0 || passed === 0);
  return { passed, failed: silent ? 1 : failed, skipped };
}

/** The report, or an empty one where no tests ran or the runner was stopped while it wrote. */
function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8'));
  } catch {
    return {};
  }
}

const [path, exitCode] = process.argv.slice(2);
const { passed, failed, skipped } = counts(read(path), Number(exitCode));
console.log(`${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`);
process.exitCode = failed > 0 ? 1 : 0;
