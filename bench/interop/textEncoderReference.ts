// What our textEncoder computes with the weights of a folder (a checkpoint of a run, or one from Hugging Face), for
// bench/interop/checkTextEncoder.py to compare with Hugging Face's classes: rows of different lengths, half of them pairs.
//
//   npx jiti bench/interop/textEncoderReference.ts runs/mlm-brown/checkpoints/step-00002000 reference.json
//   python bench/interop/checkTextEncoder.py runs/mlm-brown/checkpoints/step-00002000 reference.json
import { writeFileSync } from 'node:fs';
import { createExecutor } from '../../src/backends/index.js';
import { type AnyBatch, Draws, rootKey } from '../../src/core/index.js';
import { textEncoder } from '../../src/models/index.js';
import { modelFolder } from '../../src/sinks/index.js';

const [folder, out] = process.argv.slice(2);
if (folder === undefined || out === undefined) throw new Error('usage: textEncoderReference.ts FOLDER OUT.json');

const stored = modelFolder(folder);
const model = textEncoder({ from: stored });
const [rows, tokens] = [6, Math.min(32, stored.config.max_position_embeddings as number)];
const draws = new Draws(rootKey(1));
const below = (n: number): number => Math.floor(draws.uniform() * n);
const lengths = Array.from({ length: rows }, (_, row) => (row === 0 ? tokens : 1 + below(tokens)));
const ids = Int32Array.from({ length: rows * tokens }, () => below(model.vocabulary));
// In odd rows the second half of the text is the other sentence of a pair.
const segments = ids.map((_, i) => {
  const row = Math.floor(i / tokens);
  const length = lengths[row] as number;
  return row % 2 === 1 && i % tokens >= length / 2 && i % tokens < length ? 1 : 0;
});
const wide = (data: Int32Array): { data: Int32Array; shape: number[] } => ({ data, shape: [rows, tokens] });
const batch: AnyBatch = {
  rows,
  origins: lengths.map((_, id) => ({ source: 0, id, epoch: 0, position: id })),
  grid: [tokens],
  program: undefined,
  columns: { tokens: wide(ids), segments: wide(segments), length: { data: Int32Array.from(lengths), shape: [rows] } },
};
const executor = await createExecutor({ backend: 'cpu', seed: 0 });
const { logits } = await executor.evaluate(model, batch, ['logits']);
executor.dispose();

const cut = (data: ArrayLike<number>, size: number): number[][] =>
  Array.from({ length: data.length / size }, (_, i) => Array.from({ length: size }, (__, j) => data[i * size + j] as number));
const each = cut(logits.data, model.vocabulary);
writeFileSync(
  out,
  JSON.stringify({
    tokens: cut(ids, tokens),
    segments: cut(segments, tokens),
    lengths,
    logits: lengths.map((length, row) => each.slice(row * tokens, row * tokens + length)),
  }),
);
console.log(`${out}: ${rows} rows, lengths ${lengths.join(', ')}`);
