// Tokenizers trained here: of exactly the wanted size, the same bytes every time, refused with the reason where they cannot be,
// and read by Python with the same ids (skipped where Python's tokenizers is not there).
import { execFileSync } from 'node:child_process';
import { mkdirSync, readFileSync, readdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { memory } from '../../src/sources/memory.js';
import { textLines } from '../../src/sources/textLines.js';
import { tokenizer } from '../../src/sources/tokenizer.js';
import { trainTokenizer } from '../../src/sources/trainTokenizer.js';
import { temporaryFolder } from './arrowFiles.js';

const folder = temporaryFolder();
const stems = ['low', 'wide', 'new', 'slow', 'bright', 'café', 'straße', 'long', 'kind'];
const endings = ['', 'er', 'est', 'ly', 'ness', '.', ', ', '!'];
/** 400 lines; counts differ, ties abound. */
const lines = Array.from({ length: 400 }, (_, i) =>
  Array.from({ length: 6 }, (_, j) => `${stems[(i * 7 + j * j) % stems.length]}${endings[(i + 3 * j * i) % endings.length]}`).join(' '),
);
const corpus = join(folder, 'corpus.txt');
writeFileSync(corpus, `${lines.join('\n')}\n`);

const python = process.env.MASKFLOW_PYTHON ?? 'python3';
let present = true;
try {
  execFileSync(python, ['-c', 'import tokenizers'], { stdio: 'ignore' });
} catch {
  present = false;
  console.log(`tests/sources/trainTokenizer: Python's side skipped: ${python} has no tokenizers (MASKFLOW_PYTHON names another Python)`);
}
const ask = (script: string, ...args: string[]): unknown => JSON.parse(execFileSync(python, ['-c', script, ...args], { encoding: 'utf8' }));

describe.each(['bytePairs', 'wordPiece'] as const)('%s', (kind) => {
  const file = join(folder, `${kind}.json`);
  const size = kind === 'bytePairs' ? 320 : 100;
  beforeAll(() => trainTokenizer(textLines(corpus), { kind, vocabulary: size, more: ['[LANG]'] })(file));

  it('has exactly the wanted size, special tokens first, BERT’s template', async () => {
    const made = await tokenizer(file);
    expect(made.vocabulary).toBe(size);
    expect(made.ids).toEqual({ pad: 0, unk: 1, cls: 2, sep: 3, mask: 4 });
    expect(made.token(5)).toBe('[LANG]');
    expect(made.template.pair).toEqual([
      { id: 2, segment: 0 },
      { text: 0, segment: 0 },
      { id: 3, segment: 0 },
      { text: 1, segment: 1 },
      { id: 3, segment: 1 },
    ]);
    const [encoded] = await made.encode(['slower [MASK]']);
    expect(Array.from(encoded!.ids)).toContain(4);
    // Something was learnt: fewer tokens than characters.
    expect(encoded!.ids.length).toBeLessThan('slower'.length);
  });

  it('is the same bytes from a list, an iterator, a source of words, and again', async () => {
    async function* later(): AsyncGenerator<string> {
      yield* lines;
    }
    const words = memory(lines.map((line) => ({ words: line.split(' ') })));
    const again = [textLines(corpus), lines, later(), words];
    for (const [i, from] of again.entries()) {
      const other = join(folder, `${kind}-${i}.json`);
      await trainTokenizer(from as Iterable<string>, { kind, vocabulary: size, more: ['[LANG]'], ...(i === 3 && { column: 'words' }) })(other);
      expect(readFileSync(other, 'utf8')).toBe(readFileSync(file, 'utf8'));
    }
  });

  it('refuses sizes that the alphabet exceeds or the corpus does not yield, and leaves nothing', async () => {
    const before = readdirSync(folder);
    const train = (vocabulary: number): Promise<void> => trainTokenizer(lines, { kind, vocabulary })(join(folder, 'refused.json'));
    await expect(train(20)).rejects.toThrow(
      /trainTokenizer\.vocabulary: must be at least \d+: 5 special tokens and \d+ (bytes|characters of the corpus); got 20/u,
    );
    await expect(train(5000)).rejects.toThrow(/trainTokenizer\.vocabulary: can be at most \d+: the corpus has no more pairs to merge; got 5000/u);
    expect(readdirSync(folder)).toEqual(before);
  });

  it.skipIf(!present)('gives the same ids in Python', async () => {
    const made = await tokenizer(file);
    const texts = [...lines.slice(0, 50), 'Straße 日本 [MASK] x', '', '  two  spaces', "don't\tstop"];
    const ids = ask(
      'import sys, json, tokenizers; t = tokenizers.Tokenizer.from_file(sys.argv[1]); print(json.dumps([e.ids for e in t.encode_batch(json.loads(sys.argv[2]))]))',
      file,
      JSON.stringify(texts),
    ) as number[][];
    const [cls, sep] = [made.ids.cls, made.ids.sep];
    expect((await made.encode(texts)).map(({ ids }) => [cls, ...Array.from(ids), sep])).toEqual(ids);
  });
});

it.skipIf(!present)('byte pairs are those of Python’s trainer', () => {
  const theirs = ask(
    `
import sys, json
from tokenizers import Tokenizer, models, pre_tokenizers, trainers
t = Tokenizer(models.BPE())
t.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=True)
special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "[LANG]"]
t.train([sys.argv[1]], trainers.BpeTrainer(vocab_size=320, special_tokens=special, initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
model = json.loads(t.to_str())["model"]
print(json.dumps([model["vocab"], [m.split(" ") if isinstance(m, str) else m for m in model["merges"]]]))`,
    corpus,
  );
  const { model } = JSON.parse(readFileSync(join(folder, 'bytePairs.json'), 'utf8')) as { model: { vocab: object; merges: unknown } };
  expect([model.vocab, model.merges]).toEqual(theirs);
});

it('knows every byte without having seen it, and single bytes alone with the smallest vocabulary', async () => {
  const file = join(folder, 'bytes.json');
  await trainTokenizer(['abc abc'], { kind: 'bytePairs', vocabulary: 261 })(file);
  const made = await tokenizer(file);
  const [encoded] = await made.encode(['日 a']);
  expect(encoded!.ids.length).toBe(1 + 3 + 2);
  expect(made.decode(encoded!.ids)).toBe(' 日 a');
});

it('refuses what is no corpus, and options that are none', async () => {
  expect(() => trainTokenizer([], { kind: 'bpe', vocabulary: 300 } as never)).toThrow("trainTokenizer.kind: must be 'bytePairs' or 'wordPiece'; got \"bpe\"");
  expect(() => trainTokenizer([], { kind: 'bytePairs', vocabulary: 300, vocab: 1 } as never)).toThrow('trainTokenizer.vocab: there is no such option');
  expect(() => trainTokenizer([], { kind: 'bytePairs', vocabulary: 300, more: ['[PAD]'] })).toThrow('must be different names');
  await expect(trainTokenizer([], { kind: 'bytePairs', vocabulary: 300 })(join(folder, 'none.json'))).rejects.toThrow('there is no text in it');
  await expect(trainTokenizer(memory([{ n: 1 }]), { kind: 'bytePairs', vocabulary: 300 })(join(folder, 'none.json'))).rejects.toThrow(
    'there is no field "text"',
  );
});

it('leaves nothing behind in the temporary folder, whether it goes well or not', async () => {
  const before = process.env.TMPDIR;
  const own = join(folder, 'temporary');
  mkdirSync(own);
  process.env.TMPDIR = own;
  try {
    await trainTokenizer(lines, { kind: 'bytePairs', vocabulary: 300 })(join(folder, 'tidy.json'));
    await expect(trainTokenizer([], { kind: 'bytePairs', vocabulary: 300 })(join(folder, 'none.json'))).rejects.toThrow();
    expect(readdirSync(own)).toEqual([]);
  } finally {
    if (before === undefined) delete process.env.TMPDIR;
    else process.env.TMPDIR = before;
  }
});
