// Any token-classification model of the user, as Hugging Face's exporters write it: an ONNX file, labels in config.json beside it.
// Run by onnxruntime-node (an optional peer) on the CPU. A word's label is that of its first piece, as in LEM's reference.
import { createHash } from 'node:crypto';
import { createReadStream, existsSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { MaskflowError, inStage } from '../../core/errors.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { type SchemeName, checkPatterns, kindOf, tagScheme } from '../../operators/views/tagScheme.js';
import type { Tagged, Tagger } from '../../operators/views/tagger.js';
import { tokenSpans } from '../../operators/views/tokenSpans.js';
import type { Encoded, Tokenizer } from '../../operators/views/tokenizer.js';
import { peers } from './peer.js';
import { tokenWindows } from './tokenWindows.js';

export interface OnnxTaggerOptions {
  /** The model's own tokenizer (not necessarily the one of the rows that are tagged). */
  readonly tokenizer: Tokenizer;
  /** Labels in the order of the model's outputs. Default: `id2label` of config.json beside the model. */
  readonly labels?: readonly string[];
  /** Which labels are entities, verbs and nouns; default `bio` (B-PER, I-LOC, …: every label of an entity). */
  readonly scheme?: SchemeName;
  /** Labels, or their beginnings with * behind, instead of the scheme's. */
  readonly entities?: readonly string[];
  readonly verbs?: readonly string[];
  readonly nouns?: readonly string[];
  /** Most tokens that the model reads at once, special ones included; longer texts are read in windows. Default 512, or what config.json allows. */
  readonly length?: number;
  /** Rows of one pass; default 16. */
  readonly rows?: number;
}

interface OrtTensor {
  readonly data: ArrayLike<number>;
  readonly dims: readonly number[];
}
interface OrtSession {
  readonly inputNames: readonly string[];
  readonly outputNames: readonly string[];
  run(feeds: Readonly<Record<string, OrtTensor>>): Promise<Readonly<Record<string, OrtTensor>>>;
}
interface Ort {
  readonly Tensor: new (type: 'int64', data: BigInt64Array, dims: readonly number[]) => OrtTensor;
  readonly InferenceSession: { create(path: string, options: object): Promise<OrtSession> };
}

const stage = 'onnxTagger';
/** What a model may read, and whether a token of a row that exists has it. */
const inputs = ['input_ids', 'attention_mask', 'token_type_ids'];

async function modelFile(path: string): Promise<string> {
  const isFolder = await stat(path).then(
    (found) => found.isDirectory(),
    () => undefined,
  );
  const candidates = isFolder === true ? [join(path, 'model.onnx'), join(path, 'onnx', 'model.onnx')] : [path];
  const file = isFolder === undefined ? undefined : candidates.find(existsSync);
  if (file !== undefined) return file;
  throw new MaskflowError({
    stage,
    option: 'path',
    rule: 'must name an .onnx file, or a folder with model.onnx or onnx/model.onnx in it',
    value: path,
    hint: 'optimum-cli export onnx --model NAME --task token-classification FOLDER writes one.',
  });
}

interface Config {
  readonly id2label?: Readonly<Record<string, string>>;
  readonly max_position_embeddings?: number;
}

/** config.json beside the model, or in the folder above `onnx/`. */
async function configOf(file: string): Promise<Config> {
  const folder = dirname(file);
  const found = [join(folder, 'config.json'), ...(basename(folder) === 'onnx' ? [join(folder, '..', 'config.json')] : [])].find(existsSync);
  if (found === undefined) return {};
  try {
    return JSON.parse(await readFile(found, 'utf8')) as Config;
  } catch (error) {
    throw inStage(stage, error, found);
  }
}

function labelsOf({ id2label }: Config, file: string): string[] {
  const count = Object.keys(id2label ?? {}).length;
  const labels = Array.from({ length: count }, (_, id) => id2label?.[id]);
  if (count > 0 && labels.every((label) => typeof label === 'string')) return labels as string[];
  throw new MaskflowError({
    stage,
    option: 'labels',
    where: file,
    rule: 'must be given: there is no config.json with id2label beside the model',
    hint: "{ labels: ['O', 'B-PER', …] }, in the order of the outputs.",
  });
}

async function digest(file: string): Promise<string> {
  const hash = createHash('sha256');
  for await (const part of createReadStream(file)) hash.update(part as Buffer);
  return hash.digest('hex');
}

/** Index of the largest of `count` numbers from `start`, the first of equals. */
function largest(data: ArrayLike<number>, start: number, count: number): number {
  let best = 0;
  for (let i = 1; i < count; i++) if ((data[start + i] as number) > (data[start + best] as number)) best = i;
  return best;
}

/**
 * A tagger over a token-classification model: `path` is an .onnx file or a folder as exported from Hugging Face. It may read
 * `input_ids`, `attention_mask` and `token_type_ids` (int64 [rows, L]) and gives logits [rows, L, labels] (the output `logits`, or
 * its first). A word, as the model's tokenizer cuts it (or of a list), has the label of its first piece.
 *
 * @throws MaskflowError (through the promise) where onnxruntime-node is not installed, the file is missing or no such model, labels are
 * not known or their number is not the model's
 * @example
 * const folder = 'bert-base-NER';
 * const entities = await onnxTagger(folder, { tokenizer: await tokenizer(folder) });
 * tag(taggers({ pos: await winkTagger(), entities }), { tokenizer: words });
 */
export async function onnxTagger(path: string, options: OnnxTaggerOptions): Promise<Tagger> {
  checkOptions(stage, options, ['tokenizer', 'labels', 'scheme', 'entities', 'verbs', 'nouns', 'length', 'rows']);
  const { tokenizer, scheme = 'bio', rows = 16 } = options;
  check(
    typeof tokenizer?.encode === 'function',
    stage,
    'tokenizer',
    'must be the model’s tokenizer',
    tokenizer,
    'onnxTagger(folder, { tokenizer: await tokenizer(folder) }).',
  );
  const base = tagScheme(stage, scheme);
  const { entities = base.entities, verbs = base.verbs, nouns = base.nouns } = options;
  for (const [option, patterns] of Object.entries({ entities, verbs, nouns })) checkPatterns(stage, option, patterns);
  checkInteger(stage, 'rows', rows);
  const file = await modelFile(path);
  const config = await configOf(file);
  const labels = options.labels ?? labelsOf(config, file);
  const { length = Math.min(512, config.max_position_embeddings ?? 512) } = options;
  const around = tokenizer.template.single;
  const room = length - around.filter((piece) => 'id' in piece).length;
  check(Number.isInteger(length) && room > 0, stage, 'length', `must be an integer of more than ${length - room} tokens, the special ones`, length);
  const kind = kindOf({ entities, verbs, nouns });
  const kinds = labels.map(kind);
  check(
    kinds.some((bits) => bits > 0),
    stage,
    'labels',
    'must have one at least that the scheme counts',
    labels,
    "Say which: { scheme: 'universal' }, or { entities: ['PER', 'LOC'] }.",
  );
  const [ort] = peers(stage, { 'onnxruntime-node': '1.30.0' }) as [Ort];
  const session = await ort.InferenceSession.create(file, { executionProviders: ['cpu'] }).catch((error: unknown) => {
    throw inStage(stage, error, file);
  });
  const odd = session.inputNames.find((name) => !inputs.includes(name));
  check(odd === undefined && session.inputNames.includes('input_ids'), stage, 'path', `must be a model of ${inputs.join(', ')}`, session.inputNames);
  const output = session.outputNames.includes('logits') ? 'logits' : (session.outputNames[0] as string);
  const spansOf = tokenSpans(tokenizer);
  const pad = tokenizer.ids.pad ?? 0;

  /** Labels of the tokens of each window. */
  const pass = async (windows: readonly (readonly number[])[]): Promise<number[][]> => {
    const rowsOf = windows.map((ids) => around.flatMap((piece) => ('id' in piece ? [piece.id] : piece.text === 0 ? ids : [])));
    const before = around.findIndex((piece) => 'text' in piece);
    const side = Math.max(...rowsOf.map(({ length: own }) => own));
    const filled = (value: (row: number, at: number) => number): OrtTensor => {
      const data = BigInt64Array.from({ length: windows.length * side }, (_, i) => BigInt(value(Math.floor(i / side), i % side)));
      return new ort.Tensor('int64', data, [windows.length, side]);
    };
    const feeds: Record<string, OrtTensor> = {
      input_ids: filled((row, at) => rowsOf[row]?.[at] ?? pad),
      attention_mask: filled((row, at) => (at < (rowsOf[row]?.length ?? 0) ? 1 : 0)),
      token_type_ids: filled(() => 0),
    };
    const { data, dims } = (await session.run(Object.fromEntries(session.inputNames.map((name) => [name, feeds[name] as OrtTensor]))))[output] as OrtTensor;
    if (dims.length !== 3 || dims[0] !== windows.length || dims[1] !== side || dims[2] !== labels.length) {
      throw new MaskflowError({
        stage,
        option: 'labels',
        where: file,
        rule: `the model's output must be [${windows.length}, ${side}, ${labels.length}], the last the number of labels`,
        value: dims,
      });
    }
    return windows.map((ids, row) => ids.map((_, i) => largest(data, (row * side + before + i) * labels.length, labels.length)));
  };

  return {
    recipe: recipe('maskflow/sources', stage, { path, tokenizer: tokenizer.recipe, entities, verbs, nouns }),
    fingerprint: `onnx ${await digest(file)} ${tokenizer.fingerprint} ${JSON.stringify({ labels, entities, verbs, nouns, length })}`,
    async tag(texts) {
      const encoded = await tokenizer.encode(texts);
      const windows = encoded.flatMap((text, n) => tokenWindows(text, room).map(([from, to]) => ({ n, from, ids: Array.from(text.ids).slice(from, to) })));
      const bits = encoded.map(({ wordCount }) => new Uint8Array(wordCount));
      for (let at = 0; at < windows.length; at += rows) {
        const now = windows.slice(at, at + rows);
        const found = await pass(now.map(({ ids }) => ids));
        for (const [i, { n, from, ids }] of now.entries()) {
          const { words } = encoded[n] as Encoded;
          for (let k = 0; k < ids.length; k++) {
            const word = words[from + k] as number;
            if (from + k === 0 || words[from + k - 1] !== word) (bits[n] as Uint8Array)[word] = kinds[found[i]?.[k] as number] as number;
          }
        }
      }
      return texts.map(
        (text, n): Tagged => ({ bits: bits[n] as Uint8Array, ...(typeof text === 'string' && { spans: spansOf(text, encoded[n] as Encoded) }) }),
      );
    },
  };
}
