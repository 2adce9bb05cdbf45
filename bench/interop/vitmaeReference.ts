// What our vitMae predicts with the weights of a checkpoint, for bench/interop/checkVitmae.py to compare with Hugging Face:
//
//   npx jiti bench/interop/vitmaeReference.ts runs/colormae-mnist/checkpoints/step-00003750 reference.json
//   python bench/interop/checkVitmae.py runs/colormae-mnist/checkpoints/step-00003750 reference.json
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { decodeSafetensors } from '../../src/formats/index.js';
import { type AnyBatch, Draws, rootKey, sampleKey } from '../../src/core/index.js';
import { createExecutor } from '../../src/backends/index.js';
import { vitMae } from '../../src/models/index.js';
import { random } from '../../src/operators/index.js';

const [folder, out] = process.argv.slice(2);
if (folder === undefined || out === undefined) throw new Error('usage: vitmaeReference.ts CHECKPOINT OUT.json');

const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<string, number>;
const side = (config.image_size as number) / (config.patch_size as number);
const [rows, grid, tokens, width] = [4, [side, side], side * side, (config.patch_size as number) ** 2 * (config.num_channels as number)];
const model = vitMae({
  width: config.hidden_size as number,
  depth: config.num_hidden_layers as number,
  heads: config.num_attention_heads as number,
  channels: config.num_channels as number,
  decoder: {
    width: config.decoder_hidden_size as number,
    depth: config.decoder_num_hidden_layers as number,
    heads: config.decoder_num_attention_heads as number,
  },
});

const executor = await createExecutor({ backend: 'cpu', seed: 0 });
await executor.weights.restore(model.weights, decodeSafetensors(new Uint8Array(readFileSync(join(folder, 'model.safetensors')))));
const draws = new Draws(rootKey(1));
const pixels = Float32Array.from({ length: rows * tokens * width }, () => draws.normal());
const origins = Array.from({ length: rows }, (_, id) => ({ source: 0, id, epoch: 0, position: id }));
const hidden = Uint8Array.from(origins.flatMap((origin) => [...random({ ratio: 0.75 }).hide({ grid, length: tokens }, sampleKey(rootKey(2), origin))]));
const masked: AnyBatch = {
  rows,
  origins,
  grid,
  program: undefined,
  columns: { tokens: { data: pixels, shape: [rows, tokens, width] }, mask: { data: hidden, shape: [rows, ...grid] } },
};
const batch = { ...masked, columns: { ...masked.columns, ...model.prepare(masked) } };
const { prediction } = await executor.evaluate(model, batch, ['prediction']);
executor.dispose();

const cut = (data: ArrayLike<number>, size: number): number[][] =>
  Array.from({ length: data.length / size }, (_, i) => Array.from({ length: size }, (__, j) => data[i * size + j] as number));
const perRow = (data: ArrayLike<number>): number[][][] => {
  const each = cut(data, width);
  return Array.from({ length: rows }, (_, row) => each.slice(row * tokens, (row + 1) * tokens));
};
writeFileSync(out, JSON.stringify({ tokens: perRow(pixels), mask: cut(hidden, tokens), prediction: perRow(prediction.data) }));
console.log(`${out}: ${rows} rows, ${tokens} tokens`);
