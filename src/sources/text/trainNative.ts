// Merges learnt by the native trainer, in a process of its own: it works for seconds without a turn of the event loop, and
// prints to standard output, which belongs to the command line.
import { spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import { MaskflowError } from '../../core/errors.js';

export interface NativeTraining {
  readonly kind: 'bytePairs' | 'wordPiece';
  readonly lowercase: boolean;
  readonly prefixSpace: boolean;
  /** Text file of the corpus, and a folder for what is needed on the way. */
  readonly corpus: string;
  readonly folder: string;
}

/** What was learnt. For word pieces `characters` are those of the corpus, `continuing` those that occur inside of words. */
export interface Learnt {
  readonly merges: readonly (readonly [string, string])[];
  readonly entries: number;
  readonly characters: readonly string[];
  readonly continuing: readonly string[];
}

/*
 * Word pieces are learnt as byte pairs over characters, in which a character inside of a word is another one than at its
 * beginning (a private code point, in the order of the characters). It is the same algorithm; but the native word-piece
 * trainer numbers its ## characters in the order of a hash table, breaks ties by these numbers, and so learns something else
 * in every process (measured: 4 runs, 4 vocabularies), which here cannot happen.
 */
const code = `
const { createReadStream, createWriteStream, readFileSync, writeFileSync } = require('node:fs');
const { once } = require('node:events');
const { join } = require('node:path');
const { createInterface } = require('node:readline');
const [module, given] = process.argv.slice(1);
const T = require(module);
const { kind, lowercase, prefixSpace, corpus, folder } = JSON.parse(given);
const sorted = (set) => [...set].sort((a, b) => a.codePointAt(0) - b.codePointAt(0));

async function wordsFile() {
  const normalizer = T.bertNormalizer({ cleanText: true, handleChineseChars: true, lowercase });
  const cutter = T.bertPreTokenizer();
  const counts = new Map();
  for await (const line of createInterface({ input: createReadStream(corpus), crlfDelay: Infinity })) {
    for (const [word] of cutter.preTokenizeString(normalizer.normalizeString(line))) counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const characters = new Set();
  const continuing = new Set();
  for (const word of counts.keys()) [...word].forEach((c, i) => (characters.add(c), i > 0 && continuing.add(c)));
  const inside = sorted(continuing);
  const rank = new Map(inside.map((c, i) => [c, String.fromCodePoint(0xf0000 + i)]));
  const file = join(folder, 'words.txt');
  const out = createWriteStream(file);
  for (const [word, count] of counts) {
    const mapped = [...word].map((c, i) => (i === 0 ? c : rank.get(c))).join('') + '\\n';
    for (let left = count; left > 0; left -= 4096) if (!out.write(mapped.repeat(Math.min(left, 4096)))) await once(out, 'drain');
  }
  out.end();
  await once(out, 'close');
  return { file, characters: sorted(characters), continuing: inside };
}

async function main() {
  const tokenizer = new T.Tokenizer(T.BPE.empty());
  let words = { file: corpus, characters: [], continuing: [] };
  if (kind === 'wordPiece') {
    words = await wordsFile();
    tokenizer.setPreTokenizer(T.whitespaceSplitPreTokenizer());
  } else {
    if (lowercase) tokenizer.setNormalizer(T.lowercase());
    tokenizer.setPreTokenizer(T.byteLevelPreTokenizer(prefixSpace, true));
  }
  tokenizer.train([words.file]);
  const saved = join(folder, 'trained.json');
  tokenizer.save(saved);
  const { merges, vocab } = JSON.parse(readFileSync(saved, 'utf8')).model;
  const back = (token) => [...token].map((c) => words.continuing[c.codePointAt(0) - 0xf0000] ?? c).join('');
  const named = (token) => (kind === 'wordPiece' && token.codePointAt(0) >= 0xf0000 ? '##' + back(token) : back(token));
  const pairs = merges.map((merge) => (typeof merge === 'string' ? merge.split(' ') : merge).map(named));
  writeFileSync(join(folder, 'learnt.json'), JSON.stringify({ merges: pairs, entries: Object.keys(vocab).length, characters: words.characters, continuing: words.continuing }));
}
main().catch((error) => {
  console.error(error.message);
  process.exit(1);
});
`;

/** Trains; leaves `learnt.json` in the folder. */
export function trainNative(given: NativeTraining): Promise<void> {
  let module: string;
  try {
    module = createRequire(import.meta.url).resolve('tokenizers');
  } catch (cause) {
    throw new MaskflowError({
      stage: 'trainTokenizer',
      rule: 'needs the native library, which is not installed',
      cause,
      hint: 'npm install tokenizers@0.23.2. A tokenizer that is trained already needs it no more.',
    });
  }
  return new Promise((resolve, reject) => {
    const child = spawn(process.execPath, ['-e', code, module, JSON.stringify(given)], { stdio: ['ignore', 'ignore', 'pipe'] });
    const stop = (): void => void child.kill('SIGKILL');
    process.once('exit', stop);
    let told = '';
    child.stderr.on('data', (text: Buffer) => {
      told = (told + text.toString()).slice(-2000);
    });
    child.once('error', reject);
    child.once('close', (status, signal) => {
      process.off('exit', stop);
      if (status === 0) resolve();
      else
        reject(
          new MaskflowError({
            stage: 'trainTokenizer',
            rule: `the native trainer failed (${signal ?? `exit code ${status}`})${told.trim() === '' ? '' : `: ${told.trim().split('\n').at(-1)}`}`,
            hint:
              signal === 'SIGKILL'
                ? 'Was there memory enough? Train on a part of the corpus.'
                : 'Does the native library load? node -e "require(\'tokenizers\')" tells.',
          }),
        );
    });
  });
}
