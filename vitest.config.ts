import { availableParallelism } from 'node:os';
import { fileURLToPath } from 'node:url';
import { defineConfig } from 'vitest/config';

const source = fileURLToPath(new URL('./src', import.meta.url));

// `vitest --mode kill` (npm run test:kill) repeats the random kills of the resume tests often enough to be evidence.
export default defineConfig(({ mode }) => ({
  // One copy of the package in a test process: a pipeline's 'maskflow' is what the tests import from src.
  resolve: {
    alias: [
      { find: /^maskflow$/, replacement: `${source}/index.ts` },
      { find: /^maskflow\/(\w+)$/, replacement: `${source}/$1/index.ts` },
    ],
  },
  test: {
    include: ['tests/**/*.test.ts'],
    env: {
      // Test files run side by side: threads that wait by spinning would take each other's cores.
      MASKFLOW_ONNX_SPINNING: process.env.MASKFLOW_ONNX_SPINNING ?? 'off',
      ...(mode === 'kill' ? { MASKFLOW_KILL_TRIALS: process.env.MASKFLOW_KILL_TRIALS ?? '50' } : {}),
    },
    testTimeout: mode === 'kill' ? 3_600_000 : 30_000,
    pool: 'forks',
    maxWorkers: availableParallelism(),
  },
}));
