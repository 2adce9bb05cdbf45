// Exit code 0 if dist is complete and no older than what it is made from, 1 otherwise: `node tools/isBuilt.mjs || npm run build`.
import { existsSync, readdirSync, statSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

/** Times of change of the files below a folder whose names end as wanted. */
function times(folder, ending) {
  return readdirSync(`${root}${folder}`, { recursive: true })
    .filter((name) => name.endsWith(ending) && !name.endsWith('.d.ts'))
    .map((name) => statSync(`${root}${folder}/${name}`).mtimeMs);
}

function isBuilt() {
  if (!existsSync(`${root}dist/index.js`) || !existsSync(`${root}dist/cli/main.js`)) return false;
  const sources = [...times('src', '.ts'), statSync(`${root}tsconfig.json`).mtimeMs];
  const built = times('dist', '.js');
  return built.length === sources.length - 1 && Math.min(...built) >= Math.max(...sources);
}

process.exitCode = isBuilt() ? 0 : 1;
