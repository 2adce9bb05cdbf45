// Text to masked batches, tokens a second: the tokenizer alone (each library), the stages `tokenize` and `pack`, and with each kind of
// mask and corruption behind them, on 20,000 sentences of the Brown corpus in batches of 256, rows of up to 128 tokens. Beside it, where
// Python has `tokenizers` and numpy (MASKFLOW_PYTHON, or python3), the same with `encode_batch_fast` and a numpy collator.
// Tokens are those that exist, special ones included, padding not. Run: npm run bench -- tokenize
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import {
  type Batch,
  type Column,
  type Program,
  type Sample,
  type Tokenizer,
  arrow,
  batch,
  bernoulli,
  corrupt,
  countBased,
  drain,
  linguisticEntity,
  mask,
  memory,
  pack,
  spans,
  tlm,
  tokenize,
  tokenizer,
  trainTokenizer,
  wholeWord,
  withColumns,
} from 'maskflow';
import { type Observable, map, take } from 'rxjs';
import { type BrownSentence, brownSentences } from '../pipelines/data/brown.js';
import { line } from './support/line.js';
import { median } from './support/quantile.js';

const sentences = 20_000;
const size = 256;
const length = 128;
const repeats = 5;
const folder = mkdtempSync(join(tmpdir(), 'maskflow-bench-'));

/** One of each kind. Python's pipeline has one mask, `bernoulli`, the cheapest there. */
const ratio = 0.15;
const rules = {
  bernoulli: bernoulli({ ratio }),
  countBased: countBased({ ratio }),
  wholeWord: wholeWord({ ratio }),
  spans: spans({ ratio }),
  linguisticEntity: linguisticEntity({ ratio }),
  tlm: tlm({ ratio }),
};

/** With kinds of words for `linguisticEntity`: a quarter of the words each entities, verbs and nouns. */
function tagged<C extends { readonly words: Column<Int32Array> }, P extends Program | undefined>(given: Batch<C, P>) {
  const { data, shape } = given.columns.words;
  const tags = Uint8Array.from(data, (word) => (word < 0 || word % 4 === 3 ? 0 : 1 << (word % 4)));
  return withColumns(given, { tags: { data: tags, shape } });
}

/** Median of tokens a second over the repeats, after one that warms up. */
async function measure(figures: object, once: () => Promise<number>): Promise<void> {
  const rates: number[] = [];
  let tokens = 0;
  for (let repeat = 0; repeat <= repeats; repeat++) {
    const start = performance.now();
    tokens = await once();
    if (repeat > 0) rates.push(tokens / ((performance.now() - start) / 1000));
  }
  line('tokenize', { ...figures, tokens, tokensPerSecond: Math.round(median(rates)), repeats });
}

/** Tokens that a chain of batches yields. */
async function counted(chain: Observable<{ readonly columns: { readonly length: Column } }>): Promise<number> {
  let tokens = 0;
  await drain(chain, {}, ({ columns }) => {
    for (const count of columns.length.data) tokens += count;
  });
  return tokens;
}

try {
  const file = join(folder, 'brown.arrow');
  await brownSentences('train')(file);
  const texts: string[] = [];
  await drain(arrow<BrownSentence>(file, { columns: ['text'] }).pipe(take(sentences)), {}, ({ fields }) => texts.push(fields.text));
  const samples: Observable<Sample<{ text: string }>> = memory(texts.map((text) => ({ text })));
  writeFileSync(join(folder, 'texts.json'), JSON.stringify(texts));

  for (const kind of ['bytePairs', 'wordPiece'] as const) {
    const path = join(folder, `${kind}.json`);
    const start = performance.now();
    await trainTokenizer(texts, { kind, vocabulary: 8000 })(path);
    line('tokenize', { kind, way: 'train', seconds: (performance.now() - start) / 1000 });
    for (const library of ['native', 'javascript'] as const) {
      const words = await tokenizer(path, { library });
      const { maskId, vocabulary } = words;
      const figures = { kind, library };
      await measure({ ...figures, way: 'encode' }, () => encodedAlone(words, texts));
      await measure({ ...figures, way: 'tokenize' }, () => counted(samples.pipe(batch(size), tokenize(words, { length }))));
      for (const [name, rule] of Object.entries(library === 'native' ? rules : { bernoulli: rules.bernoulli })) {
        await measure({ ...figures, way: 'tokenize, mask, corrupt', mask: name }, () =>
          counted(samples.pipe(batch(size), tokenize(words, { length }), map(tagged), mask(rule), corrupt({ maskId, vocabulary }))),
        );
      }
      await measure({ ...figures, way: 'pack, mask, corrupt' }, () =>
        counted(samples.pipe(pack(words, { rows: 64, length }), mask(bernoulli({ ratio: 0.15 })), corrupt({ maskId, vocabulary }))),
      );
    }
    python(kind, path);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function encodedAlone(words: Tokenizer, texts: readonly string[]): Promise<number> {
  let tokens = 0;
  for (let at = 0; at < texts.length; at += size) {
    for (const { ids } of await words.encode(texts.slice(at, at + size))) tokens += ids.length;
  }
  return tokens;
}

/** The same in Python, one thread and all; says so where it is not there. Of several interpreters the first is taken. */
function python(kind: string, path: string): void {
  const command = (process.env.MASKFLOW_PYTHON || 'python3').split(delimiter)[0] as string;
  const script = fileURLToPath(new URL('./peers/tokenizePeer.py', import.meta.url));
  for (const threads of ['1', 'all']) {
    const { status, stdout, stderr, error } = spawnSync(command, [script, path, join(folder, 'texts.json'), String(size), String(length), String(repeats)], {
      encoding: 'utf8',
      env: { ...process.env, ...(threads === '1' && { RAYON_NUM_THREADS: '1' }) },
    });
    if (status !== 0) {
      console.error(`tokenize: ${command} skipped: ${error?.message ?? stderr.trim().split('\n').at(-1)}`);
      return;
    }
    for (const figures of JSON.parse(stdout) as object[]) line('tokenize', { kind, library: 'python', threads, ...figures, repeats });
  }
}
