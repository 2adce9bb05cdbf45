#!/usr/bin/env node
// The command `maskflow`: starts the built command line, or says how to build it.
import { existsSync } from 'node:fs';

const built = new URL('../dist/cli/main.js', import.meta.url);
if (existsSync(built)) {
  const { main } = await import(built.href);
  process.exitCode = await main(process.argv.slice(2));
} else {
  console.error('maskflow: dist/ is missing, so the command is not built yet. Build it once with: npm run build');
  process.exitCode = 1;
}
