// Token-classification models: a tiny one made here by hand (the logits of a token are a row of a table), in a folder as Hugging Face's
// exporter leaves it. The label of a word's first piece counts; long texts are read in windows.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import fc from 'fast-check';
import { lastValueFrom } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { encodeGraph } from '../../../src/backends/onnx/encodeGraph.js';
import type { Node, ValueType } from '../../../src/backends/onnx/graph.js';
import { batch } from '../../../src/operators/batch.js';
import { tag, tokenize } from '../../../src/operators/text/index.js';
import { memory } from '../../../src/sources/memory.js';
import { type OnnxTaggerOptions, onnxTagger } from '../../../src/sources/taggers/onnxTagger.js';
import { tokenWindows } from '../../../src/sources/taggers/tokenWindows.js';
import { letters, rowsOf } from '../../operators/text/letters.js';
import { temporaryFolder } from '../arrowFiles.js';

const words = letters();
const folder = temporaryFolder();
const labels = ['O', 'B-PER', 'I-LOC', 'VERB'];
/** Label of a letter. Special tokens have 3, so that one that was read for a word is seen. */
const labelOf = (letter: string): number => (letter === 'p' ? 1 : letter === 'l' ? 2 : letter === 'v' ? 3 : 0);

/** logits = table[input_ids], and 0 where the mask or the type says so: int64 [rows, L] → float32 [rows, L, labels]. */
function model(
  inputs: readonly string[] = ['input_ids', 'attention_mask', 'token_type_ids'],
  { output = 'logits', count = labels.length, flat = false } = {},
): Uint8Array {
  const table = new Float32Array(words.vocabulary * count);
  for (let id = 0; id < words.vocabulary; id++) table[id * count + Math.min(count - 1, id < 5 ? 3 : labelOf(String.fromCharCode(92 + id)))] = 1;
  const [ids, scores]: ValueType[] = [
    { type: 'int64', shape: [1, 1] },
    { type: 'float32', shape: [1, 1, count] },
  ];
  const values = new Map<string, ValueType>([...inputs.map((name) => [name, ids!] as const), ['table', { type: 'float32', shape: [words.vocabulary, count] }]]);
  const nodes: Node[] = [];
  const node = (op: string, from: readonly string[], to: string, type = scores!, attributes: Node['attributes'] = {}): string => {
    nodes.push({ op, inputs: from, outputs: [to], attributes });
    values.set(to, type);
    return to;
  };
  values.set('axis', { type: 'int64', shape: [1] });
  let last = node('Gather', ['table', 'input_ids'], 'gathered', scores, { axis: { int: 0 } });
  if (inputs.includes('attention_mask')) {
    node('Unsqueeze', ['attention_mask', 'axis'], 'wide', ids);
    node('Cast', ['wide'], 'float', scores, { to: { int: 1 } });
    last = node('Mul', [last, 'float'], 'masked');
  }
  if (inputs.includes('token_type_ids')) {
    node('Unsqueeze', ['token_type_ids', 'axis'], 'wideTypes', ids);
    node('Cast', ['wideTypes'], 'types', scores, { to: { int: 1 } });
    last = node('Sub', [last, 'types'], 'typed');
  }
  if (flat) last = node('ReduceSum', [last, 'axis'], 'flat', scores, { keepdims: { int: 0 } });
  return encodeGraph(
    {
      inputs,
      outputs: new Map([[output, last]]),
      values,
      constants: new Map<string, Float32Array | BigInt64Array>([
        ['table', table],
        ...(!inputs.includes('attention_mask') ? [] : [['axis', BigInt64Array.of(2n)] as const]),
      ]),
      nodes,
    },
    { shapes: false },
  );
}

let made = 0;
/** A folder with a model and, where there are labels, their configuration. */
function exported(content: Uint8Array, { id2label = labels as readonly string[] | null, inside = '', config = {} } = {}): string {
  const path = join(folder, `model-${made++}`);
  mkdirSync(join(path, inside), { recursive: true });
  writeFileSync(join(path, inside, 'model.onnx'), content);
  if (id2label !== null) writeFileSync(join(path, 'config.json'), JSON.stringify({ id2label: Object.fromEntries(id2label.entries()), ...config }));
  return path;
}
const options: OnnxTaggerOptions = { tokenizer: words };

describe('onnxTagger', () => {
  it('gives words the label of their first piece; texts by spans, lists by entries', async () => {
    const tagger = await onnxTagger(exported(model()), options);
    const [text, list, empty] = await tagger.tag(['pax apx lv v', ['pax', '', 'l', 'vp'], ''], []);
    expect([[...text!.bits], [...text!.spans!]]).toEqual([
      [1, 0, 1, 0],
      [0, 3, 4, 7, 8, 10, 11, 12],
    ]);
    expect([[...list!.bits], list!.spans]).toEqual([[1, 0, 1, 0], undefined]);
    expect([...empty!.bits]).toEqual([]);
  });

  it('reads what models there are: fewer inputs, another output, the folder onnx, a file with labels', async () => {
    const answer = async (path: string, more: object = {}): Promise<number[]> => {
      const [tagged] = await (await onnxTagger(path, { ...options, ...more })).tag(['pa xl lx va'], []);
      return [...tagged!.bits];
    };
    expect(await answer(exported(model(['input_ids'])))).toEqual([1, 0, 1, 0]);
    expect(await answer(exported(model(['input_ids', 'attention_mask'], { output: 'scores' }), { inside: 'onnx' }))).toEqual([1, 0, 1, 0]);
    expect(await answer(join(exported(model(), { id2label: null }), 'model.onnx'), { labels })).toEqual([1, 0, 1, 0]);
    expect(await answer(exported(model()), { scheme: 'universal' })).toEqual([0, 0, 0, 2]);
    expect(await answer(exported(model()), { entities: ['I-LOC'], verbs: ['V*'] })).toEqual([0, 0, 1, 2]);
  });

  it('answers alike whatever the window, the rows of a pass and the texts beside', async () => {
    const path = exported(model());
    const word = fc.string({ unit: fc.constantFrom(...'plvx'), minLength: 1, maxLength: 6 });
    const texts = fc.array(fc.array(word, { maxLength: 8 }), { minLength: 1, maxLength: 5 });
    for (const [length, rows] of [
      [3, 1],
      [5, 2],
      [6, 16],
      [512, 3],
    ]) {
      const tagger = await onnxTagger(path, { ...options, length: length!, rows: rows! });
      await fc.assert(
        fc.asyncProperty(texts, async (given) => {
          const answers = await tagger.tag([...given.map((list) => list.join(' ')), ...given], []);
          const expected = given.map((list) => list.map((own) => ('pl'.includes(own[0] as string) ? 1 : 0)));
          expect(answers.map(({ bits }) => [...bits])).toEqual([...expected, ...expected]);
        }),
        { seed: 6, numRuns: 12 },
      );
    }
  });

  it('reaches the tokens of rows', async () => {
    const tagger = await onnxTagger(exported(model()), options);
    const rows = memory([{ text: 'ax pax' }]).pipe(batch(1), tokenize(words, { multiple: 1 }), tag(tagger, { tokenizer: words }));
    expect(rowsOf((await lastValueFrom(rows)).columns.tags)).toEqual([[0, 0, 0, 1, 1, 1, 0]]);
  });

  it('names itself by the model, the labels and the tokenizer', async () => {
    const names = await Promise.all([
      onnxTagger(exported(model()), options),
      onnxTagger(exported(model()), options),
      onnxTagger(exported(model(['input_ids'])), options),
      onnxTagger(exported(model()), { ...options, entities: ['B-PER'] }),
      onnxTagger(exported(model()), { tokenizer: { ...words, fingerprint: 'other' } }),
    ]);
    expect(names[0]?.fingerprint).toBe(names[1]?.fingerprint);
    expect(new Set(names.map(({ fingerprint }) => fingerprint)).size).toBe(4);
  });

  it('says what is wrong', async () => {
    await expect(onnxTagger('nowhere', options)).rejects.toThrow(
      'onnxTagger.path: must name an .onnx file, or a folder with model.onnx or onnx/model.onnx in it; got "nowhere". optimum-cli export onnx',
    );
    await expect(onnxTagger(folder, options)).rejects.toThrow('onnxTagger.path: must name an .onnx file');
    await expect(onnxTagger(exported(model(), { id2label: null }), options)).rejects.toThrow(
      'onnxTagger.labels: must be given: there is no config.json with id2label beside the model',
    );
    await expect(onnxTagger(exported(model(), { id2label: ['A', 'B'] }), options)).rejects.toThrow(
      'onnxTagger.labels: must have one at least that the scheme counts; got ["A","B"]',
    );
    await expect(onnxTagger(exported(model(['input_ids', 'bbox'])), options)).rejects.toThrow(
      'onnxTagger.path: must be a model of input_ids, attention_mask, token_type_ids; got ["input_ids","bbox"]',
    );
    await expect(onnxTagger(exported(Uint8Array.of(1, 2, 3)), options)).rejects.toThrow(/^onnxTagger: .*model\.onnx/su);
    await expect(onnxTagger(exported(model()), { ...options, length: 2 })).rejects.toThrow(
      'onnxTagger.length: must be an integer of more than 2 tokens, the special ones; got 2',
    );
    await expect(onnxTagger(exported(model()), {} as never)).rejects.toThrow('onnxTagger.tokenizer: must be the model’s tokenizer; got undefined.');
    await expect(onnxTagger(exported(model()), { ...options, label: labels } as never)).rejects.toThrow(
      'onnxTagger.label: there is no such option. Did you mean labels?',
    );
    const short = await onnxTagger(exported(model(undefined, { count: 3 })), options);
    await expect(short.tag(['pa'], [])).rejects.toThrow(
      /^onnxTagger\.labels: the model's output must be \[1, 4, 4\], the last the number of labels; got \[1,4,3\]/u,
    );
    const flat = await onnxTagger(exported(model(undefined, { flat: true })), options);
    await expect(flat.tag(['pa'], [])).rejects.toThrow('got [1,4]');
  });
});

describe('tokenWindows', () => {
  it('cuts between words, and words only where they are longer than a window', () => {
    const encoded = (words: readonly number[]) => ({ ids: words, words, wordCount: (words.at(-1) ?? -1) + 1 });
    expect(tokenWindows(encoded([0, 0, 1, 1, 2]), 3)).toEqual([
      [0, 2],
      [2, 5],
    ]);
    expect(tokenWindows(encoded([0, 0, 0, 0, 1]), 3)).toEqual([
      [0, 3],
      [3, 5],
    ]);
    expect(tokenWindows(encoded([0, 1, 2]), 3)).toEqual([[0, 3]]);
    expect(tokenWindows(encoded([]), 3)).toEqual([]);
  });
});
