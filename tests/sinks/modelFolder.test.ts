import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/index.js';
import type { Column } from '../../src/core/batch.js';
import { signatureOf } from '../../src/core/program.js';
import { encodeSafetensors } from '../../src/formats/safetensors.js';
import { textEncoder } from '../../src/models/textEncoder.js';
import { modelFolder } from '../../src/sinks/modelFolder.js';
import { batchOf } from '../models/harness.js';
import { ints } from '../models/ints.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-model-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));
let folder = root;
beforeEach(() => {
  folder = mkdtempSync(join(root, 'm-'));
});

const config = {
  model_type: 'bert',
  vocab_size: 5,
  hidden_size: 4,
  num_hidden_layers: 1,
  num_attention_heads: 2,
  intermediate_size: 8,
  max_position_embeddings: 6,
};

describe('modelFolder', () => {
  it('a model that was written goes on where it was: the same outputs under any seed', async () => {
    for (const architecture of ['bert', 'modern'] as const) {
      const made = textEncoder({ vocabulary: 9, width: 8, depth: 1, heads: 2, architecture });
      const batch = batchOf({ tokens: ints([[1, 2, 8, 4]]) });
      const first = await createExecutor({ backend: 'cpu', seed: 1 });
      const { logits } = await first.evaluate(made, batch, ['logits']);
      writeFileSync(join(folder, 'config.json'), JSON.stringify(made.config(signatureOf(batch))));
      writeFileSync(join(folder, 'model.safetensors'), encodeSafetensors(await first.weights.snapshot('student'), { format: 'pt' }));
      first.dispose();
      const stored = modelFolder(folder);
      expect(stored.fingerprint).toMatch(/^[0-9a-f]{16}$/);
      const second = await createExecutor({ backend: 'cpu', seed: 2 });
      const again = await second.evaluate(textEncoder({ from: stored }), batch, ['logits']);
      expect(again.logits).toEqual(logits);
      second.dispose();
    }
  });

  it('reads the parts that an index lists, and tells weights apart by their content', () => {
    const one = new Map<string, Column>([['a', { data: Float32Array.of(1, 2), shape: [2] }]]);
    const two = new Map<string, Column>([['b', { data: Float32Array.of(3), shape: [1] }]]);
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    writeFileSync(join(folder, 'model-1.safetensors'), encodeSafetensors(one));
    writeFileSync(join(folder, 'model-2.safetensors'), encodeSafetensors(two));
    writeFileSync(join(folder, 'model.safetensors.index.json'), JSON.stringify({ weight_map: { b: 'model-2.safetensors', a: 'model-1.safetensors' } }));
    const stored = modelFolder(folder);
    expect(new Map([...one, ...two])).toEqual(stored.weights);
    expect(stored.config).toEqual(config);
    writeFileSync(join(folder, 'model-2.safetensors'), encodeSafetensors(new Map([['b', { data: Float32Array.of(4), shape: [1] }]])));
    expect(modelFolder(folder).fingerprint).not.toBe(stored.fingerprint);
  });

  it('says which file is missing or broken', () => {
    expect(() => modelFolder(folder)).toThrow(
      /^modelFolder: the file cannot be read: .*config\.json.* A model folder holds config\.json and model\.safetensors\./s,
    );
    writeFileSync(join(folder, 'config.json'), '{');
    expect(() => modelFolder(folder)).toThrow('must be JSON');
    writeFileSync(join(folder, 'config.json'), JSON.stringify(config));
    expect(() => modelFolder(folder)).toThrow('model.safetensors');
  });
});
