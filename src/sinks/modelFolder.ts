// Reads what `checkpoint` writes, and what Hugging Face stores: the room of sinks alone knows both formats and files.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { MaskflowError } from '../core/errors.js';
import type { Column } from '../core/batch.js';
import { decodeSafetensors } from '../formats/safetensors.js';
import type { StoredModel } from '../models/textEncoderSizes.js';

/**
 * Reads config.json and model.safetensors (or the parts that model.safetensors.index.json lists) of a folder, for
 * `textEncoder({ from })`: training then goes on from these weights. F16 and BF16 become float32.
 *
 * @throws MaskflowError where a file is missing or no such file.
 * @example
 * const encoder = textEncoder({ from: modelFolder('models/bert-base-uncased') });
 */
export function modelFolder(path: string): StoredModel {
  const read = (name: string): Uint8Array => {
    const file = join(path, name);
    try {
      return new Uint8Array(readFileSync(file));
    } catch (cause) {
      throw new MaskflowError({
        stage: 'modelFolder',
        where: file,
        rule: `the file cannot be read: ${cause instanceof Error ? cause.message : String(cause)}`,
        hint: 'A model folder holds config.json and model.safetensors. Older files (pytorch_model.bin) are converted in Python: model.save_pretrained(folder).',
        cause,
      });
    }
  };
  const parse = (name: string): Record<string, unknown> => {
    const text = new TextDecoder().decode(read(name));
    try {
      return JSON.parse(text) as Record<string, unknown>;
    } catch (cause) {
      throw new MaskflowError({ stage: 'modelFolder', where: join(path, name), rule: 'must be JSON', cause });
    }
  };
  const config = parse('config.json');
  const index = 'model.safetensors.index.json';
  const parts = existsSync(join(path, index)) ? [...new Set(Object.values(parse(index).weight_map as Record<string, string>))].sort() : ['model.safetensors'];
  const weights = new Map<string, Column>();
  const hash = createHash('sha256');
  for (const part of parts) {
    const bytes = read(part);
    hash.update(bytes);
    for (const [name, column] of decodeSafetensors(bytes, { file: join(path, part) })) weights.set(name, column);
  }
  return { config, weights, fingerprint: hash.digest('hex').slice(0, 16) };
}
