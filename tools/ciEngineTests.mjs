// Prints from vitest's JSON report how many tests ran on which engine: `engines: tfjs-node 172 passed, …`. They are those
// whose title, or that of a block around them, says `on <engine>`. Nothing where there is no report.
// Usage: node tools/ciEngineTests.mjs REPORT.json
import { readFileSync } from 'node:fs';

/** As in src/backends/backends.ts, and onnx by its provider; the longer name first. */
const ENGINE = /\bon (tfjs-node-gpu|tfjs-node|onnx-webgpu|webgpu|onnx|wasm|cpu)\b/;

function read(path) {
  try {
    return JSON.parse(readFileSync(path, 'utf8')).testResults ?? [];
  } catch {
    return [];
  }
}

const counts = new Map();
for (const { assertionResults } of read(process.argv[2])) {
  for (const { ancestorTitles, title, status } of assertionResults) {
    const engine = [...ancestorTitles, title].map((text) => ENGINE.exec(text)?.[1]).find((name) => name !== undefined);
    if (engine === undefined || (status !== 'passed' && status !== 'failed')) continue;
    const count = counts.get(engine) ?? { passed: 0, failed: 0 };
    count[status]++;
    counts.set(engine, count);
  }
}
if (counts.size > 0) {
  console.log(`engines: ${[...counts].map(([name, { passed, failed }]) => `${name} ${passed} passed${failed > 0 ? ` ${failed} failed` : ''}`).join(', ')}`);
}
