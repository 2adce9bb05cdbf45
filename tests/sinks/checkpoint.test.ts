// Checkpoints on a file system in memory that can die before any operation, and what stands in one.
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import type { Files } from '../../src/core/files.js';
import { decodeSafetensors } from '../../src/formats/safetensors.js';
import { run } from '../../src/run/run.js';
import { type CheckpointContents, checkpoint, checkpointName, writeCheckpoint } from '../../src/sinks/checkpoint.js';
import { tiny } from '../resume/tiny.js';

/** Files by path, folders by path; dies before operation number `dieAt`. A file that was not written to its end is empty. */
class MemoryFiles implements Files {
  readonly files = new Map<string, string>();
  readonly folders = new Set<string>();
  readonly log: string[] = [];
  dieAt = Number.POSITIVE_INFINITY;

  #operation(name: string, path: string): void {
    if (this.log.length >= this.dieAt) throw new Error('dead');
    this.log.push(`${name} ${path}`);
  }
  copy(): MemoryFiles {
    const other = new MemoryFiles();
    for (const [path, content] of this.files) other.files.set(path, content);
    for (const path of this.folders) other.folders.add(path);
    return other;
  }
  async makeFolder(path: string): Promise<void> {
    this.#operation('makeFolder', path);
    this.folders.add(path);
  }
  async write(path: string, content: Uint8Array | string): Promise<void> {
    // A death in the middle of a write leaves a torn file.
    if (this.log.length + 1 > this.dieAt) this.files.set(path, '');
    this.#operation('write', path);
    this.files.set(path, typeof content === 'string' ? content : new TextDecoder().decode(content));
  }
  async syncFolder(path: string): Promise<void> {
    this.#operation('syncFolder', path);
  }
  async rename(from: string, to: string): Promise<void> {
    this.#operation('rename', `${from} → ${to}`);
    // As POSIX has it: a folder does not replace one that is not empty.
    if (this.folders.has(from) && [...this.files.keys()].some((path) => path.startsWith(`${to}/`))) throw new Error(`ENOTEMPTY ${to}`);
    if (!this.folders.has(from) && !this.files.has(from)) throw new Error(`ENOENT ${from}`);
    for (const [path, content] of [...this.files]) {
      if (path !== from && !path.startsWith(`${from}/`)) continue;
      this.files.delete(path);
      this.files.set(to + path.slice(from.length), content);
    }
    if (this.folders.delete(from)) this.folders.add(to);
  }
  async remove(path: string): Promise<void> {
    // A death in the middle of a removal leaves half of it.
    const inside = [...this.files.keys()].filter((file) => file === path || file.startsWith(`${path}/`));
    if (this.log.length + 1 > this.dieAt) for (const file of inside.slice(0, inside.length / 2)) this.files.delete(file);
    this.#operation('remove', path);
    for (const file of inside) this.files.delete(file);
    this.folders.delete(path);
  }
  async list(path: string): Promise<string[]> {
    this.#operation('list', path);
    const entries = [...this.files.keys(), ...this.folders]
      .filter((entry) => entry.startsWith(`${path}/`))
      .map((entry) => entry.slice(path.length + 1).split('/')[0] as string);
    return [...new Set(entries)].sort();
  }
}

const folder = '/run/checkpoints';
const names = ['model.safetensors', 'config.json', 'training.safetensors', 'state.json'];
const contentOf = (step: number): CheckpointContents => names.map((name) => [name, `${name} of ${step}`]);
const save = (files: Files, step: number, keep = 2): Promise<void> => writeCheckpoint(files, folder, contentOf(step), step, keep);
const entries = async (files: MemoryFiles): Promise<string[]> => files.list(folder);

/** Every folder with a checkpoint's name is whole, and `last` names one of them (or nothing was named yet). */
function expectWhole(files: MemoryFiles, label: string): string | undefined {
  const named = new Set([...files.files.keys()].flatMap((path) => /checkpoints\/(step-\d+)\//.exec(path)?.[1] ?? []));
  for (const path of files.folders) {
    const name = /checkpoints\/(step-\d+)$/.exec(path)?.[1];
    if (name !== undefined) named.add(name);
  }
  for (const name of named) {
    for (const file of names) expect(files.files.get(`${folder}/${name}/${file}`), `${label}: ${name}/${file}`).toBe(`${file} of ${Number(name.slice(5))}`);
  }
  const last = files.files.get(`${folder}/last`);
  if (last === undefined) return undefined;
  expect(last, label).toMatch(/^step-\d{8}\n$/);
  expect([...named], label).toContain(last.trim());
  return last.trim();
}

describe('writeCheckpoint', () => {
  it('writes all beside, flushes, names, flushes, and only then points at it', async () => {
    const files = new MemoryFiles();
    await save(files, 200);
    const hidden = `${folder}/.unfinished-step-00000200`;
    expect(files.log.filter((line) => !line.startsWith('list'))).toEqual([
      `makeFolder ${folder}`,
      `makeFolder ${hidden}`,
      ...names.map((name) => `write ${hidden}/${name}`),
      `syncFolder ${hidden}`,
      `rename ${hidden} → ${folder}/step-00000200`,
      `syncFolder ${folder}`,
      `write ${folder}/.unfinished-last`,
      `rename ${folder}/.unfinished-last → ${folder}/last`,
      `syncFolder ${folder}`,
    ]);
    expect(await entries(files)).toEqual(['last', 'step-00000200']);
    expect(files.files.get(`${folder}/last`)).toBe('step-00000200\n');
  });

  it('keeps the newest `keep`, and takes the name of an old one before its content', async () => {
    for (const keep of [1, 2, 3]) {
      const files = new MemoryFiles();
      for (const step of [2, 4, 6, 8, 10]) await save(files, step, keep);
      expect(await entries(files)).toEqual(['last', ...[2, 4, 6, 8, 10].slice(-keep).map(checkpointName)]);
      const pruning = files.log.filter((line) => line.includes('step-00000002') && /^(rename|remove)/.test(line)).slice(1);
      expect(pruning).toEqual([`rename ${folder}/step-00000002 → ${folder}/.removed-step-00000002`, `remove ${folder}/.removed-step-00000002`]);
    }
  });

  it('removes what came after the step: it belongs to a past that was given up', async () => {
    const files = new MemoryFiles();
    for (const step of [2, 4, 6]) await save(files, step, 3);
    files.files.set(`${folder}/last`, 'step-00000002\n');
    await save(files, 3, 3);
    expect(await entries(files)).toEqual(['last', 'step-00000002', 'step-00000003']);
    expect(files.files.get(`${folder}/last`)).toBe('step-00000003\n');
  });

  it('writes over a complete folder of its step that `last` never came to name', async () => {
    const files = new MemoryFiles();
    await save(files, 2);
    await save(files, 4);
    files.files.set(`${folder}/last`, 'step-00000002\n');
    files.files.set(`${folder}/step-00000004/model.safetensors`, 'of another past');
    await save(files, 4);
    expectWhole(files, 'written over');
    expect(files.files.get(`${folder}/last`)).toBe('step-00000004\n');
  });

  it('clears what an earlier death left behind', async () => {
    const files = new MemoryFiles();
    await save(files, 2);
    for (const left of ['.unfinished-step-00000004/model.safetensors', '.removed-step-00000001/state.json', '.unfinished-last'])
      files.files.set(`${folder}/${left}`, 'torn');
    files.folders.add(`${folder}/.unfinished-step-00000004`);
    files.folders.add(`${folder}/.removed-step-00000001`);
    await save(files, 4);
    expect(await entries(files)).toEqual(['last', 'step-00000002', 'step-00000004']);
  });

  it('leaves other files in the folder alone', async () => {
    const files = new MemoryFiles();
    files.files.set(`${folder}/notes.txt`, 'mine');
    files.files.set(`${folder}/step-best/model.safetensors`, 'mine too');
    for (const step of [2, 4, 6]) await save(files, step, 1);
    expect(files.files.get(`${folder}/notes.txt`)).toBe('mine');
    expect(files.files.get(`${folder}/step-best/model.safetensors`)).toBe('mine too');
  });

  it('may die before or in the middle of any operation, any number of times: `last` names a whole one, and never an older one', async () => {
    const histories: { keep: number; before: number[]; step: number; pointer?: number }[] = [
      { keep: 2, before: [], step: 2 },
      { keep: 2, before: [2, 4], step: 6 },
      { keep: 1, before: [2, 4], step: 6 },
      // Stale ones, of which one has the step's own name.
      { keep: 2, before: [2, 4, 6], step: 4, pointer: 2 },
    ];
    for (const { keep, before, step, pointer } of histories) {
      const start = new MemoryFiles();
      for (const earlier of before) await save(start, earlier, 3);
      if (pointer !== undefined) start.files.set(`${folder}/last`, `${checkpointName(pointer)}\n`);
      const whole = start.copy();
      await save(whole, step, keep);
      const count = whole.log.length;
      expect(count).toBeGreaterThan(10);
      const first = start.files.get(`${folder}/last`)?.trim();
      for (let death = 0; death < count; death++) {
        const label = `keep ${keep}, before ${before}, death at ${death}: ${whole.log[death]}`;
        const files = start.copy();
        files.dieAt = death;
        await expect(save(files, step, keep), label).rejects.toThrow('dead');
        const last = expectWhole(files, label);
        expect([first, checkpointName(step)], label).toContain(last);
        // And once more, at every moment of the second attempt.
        for (let second = 0; ; second++) {
          const again = files.copy();
          again.dieAt = second;
          const over = await save(again, step, keep).then(
            () => true,
            () => false,
          );
          // Where `last` names the step already, a run goes on behind it and never writes it again.
          if (last !== checkpointName(step) || over) expectWhole(again, `${label}, then at ${second}`);
          if (!over) continue;
          expect(await again.copy().list(folder), label).toEqual(await whole.copy().list(folder));
          break;
        }
      }
    }
  });

  it('for any history of steps, deaths and numbers to keep', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ by: fc.integer({ min: 1, max: 3 }), death: fc.integer({ min: 0, max: 45 }), keep: fc.integer({ min: 1, max: 3 }) }), {
          minLength: 1,
          maxLength: 8,
        }),
        async (history) => {
          let files = new MemoryFiles();
          for (const { by, death, keep } of history) {
            const last = expectWhole(files, 'before');
            const from = last === undefined ? 0 : Number(last.slice(5));
            files = files.copy();
            files.dieAt = death;
            await save(files, from + by, keep).catch(() => undefined);
            const now = expectWhole(files, 'after');
            expect(now === undefined ? 0 : Number(now.slice(5))).toBeGreaterThanOrEqual(from);
          }
        },
      ),
      { numRuns: 100, seed: 3 },
    );
  });
});

describe('what stands in a checkpoint', () => {
  const root = mkdtempSync(join(tmpdir(), 'maskflow-checkpoint-'));
  afterAll(() => rmSync(root, { recursive: true, force: true }));
  const trained = async (name: string, options: Record<string, unknown> = {}): Promise<string> => {
    const out = join(root, name);
    await run(tiny(), { name: 'tiny', backend: 'cpu', out, seed: 5, options: { epochs: 1, every: 2, ...options } });
    return join(out, 'checkpoints');
  };
  const read = (...path: string[]): string => readFileSync(join(...path), 'utf8');

  it('model.safetensors: every weight by its Hugging Face name; training.safetensors: both moments of what is trained', async () => {
    const checkpoints = await trained('names');
    const last = read(checkpoints, 'last').trim();
    expect(readdirSync(join(checkpoints, last)).sort()).toEqual(['config.json', 'model.safetensors', 'state.json', 'training.safetensors']);
    const bytes = new Uint8Array(readFileSync(join(checkpoints, last, 'model.safetensors')));
    const model = decodeSafetensors(bytes);
    for (const name of [
      'vit.embeddings.cls_token',
      'vit.embeddings.position_embeddings',
      'vit.embeddings.patch_embeddings.projection.weight',
      'vit.encoder.layer.0.attention.attention.query.weight',
      'vit.encoder.layer.0.attention.output.dense.bias',
      'vit.encoder.layer.0.intermediate.dense.weight',
      'vit.encoder.layer.0.layernorm_before.weight',
      'vit.layernorm.weight',
      'decoder.mask_token',
      'decoder.decoder_embed.weight',
      'decoder.decoder_pos_embed',
      'decoder.decoder_layers.0.attention.attention.value.bias',
      'decoder.decoder_norm.bias',
      'decoder.decoder_pred.weight',
    ]) {
      expect([...model.keys()], name).toContain(name);
    }
    expect(model.get('vit.embeddings.patch_embeddings.projection.weight')?.shape).toEqual([8, 1, 2, 2]);
    // What transformers looks for before it loads a file.
    const header = new TextDecoder().decode(bytes.subarray(8, 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true))));
    expect(JSON.parse(header)).toMatchObject({ __metadata__: { format: 'pt' } });
    const training = [...decodeSafetensors(new Uint8Array(readFileSync(join(checkpoints, last, 'training.safetensors')))).keys()];
    const fixed = ['vit.embeddings.position_embeddings', 'decoder.decoder_pos_embed'];
    for (const name of model.keys())
      expect(
        training.filter((key) => key.includes(`/${name}.`)),
        name,
      ).toHaveLength(fixed.includes(name) ? 0 : 2);
    expect(training.every((key) => key.startsWith('student.optimizer/'))).toBe(true);
  });

  it('config.json: the names of Hugging Face', async () => {
    const checkpoints = await trained('config');
    const config = JSON.parse(read(checkpoints, read(checkpoints, 'last').trim(), 'config.json')) as Record<string, unknown>;
    expect(config).toMatchObject({
      model_type: 'vit_mae',
      hidden_size: 8,
      num_hidden_layers: 1,
      num_attention_heads: 2,
      decoder_hidden_size: 8,
      decoder_num_hidden_layers: 1,
      patch_size: 2,
      image_size: 4,
      num_channels: 1,
    });
    expect(config.architectures).toEqual(['ViTMAEForPreTraining']);
  });

  it('state.json: a few readable numbers, no clock and no path', async () => {
    const checkpoints = await trained('state');
    const last = read(checkpoints, 'last').trim();
    const text = read(checkpoints, last, 'state.json');
    const state = JSON.parse(text) as { step: number; seed: number; weights: string; cursor: { sources: unknown[] }; stages: Record<string, unknown> };
    expect(Object.keys(state).sort()).toEqual(['cursor', 'seed', 'stages', 'step', 'weights']);
    expect(state).toMatchObject({ step: Number(last.slice(5)), seed: 5, weights: 'student', stages: { train: { samples: 42 } } });
    expect(state.cursor.sources).toHaveLength(1);
    expect(text.length).toBeLessThan(1500);
    expect(text).not.toMatch(/\d{4}-\d\d-\d\d|\b1[6-9]\d{11}\b|\/tmp|maskflow-checkpoint/);
  });

  it('equal runs in different folders at different times leave equal bytes', async () => {
    const bytes = (checkpoints: string): string[] => {
      const last = read(checkpoints, 'last').trim();
      return readdirSync(join(checkpoints, last))
        .sort()
        .map((name) => readFileSync(join(checkpoints, last, name)).toString('base64'));
    };
    const [one, two] = [await trained('one'), await trained('two/deeper')];
    expect(bytes(two)).toEqual(bytes(one));
  });

  it('one follows the last step, and none is made twice', async () => {
    const every = await trained('every', { every: 1000 });
    expect(readdirSync(every).filter((entry) => entry.startsWith('step-'))).toHaveLength(1);
    const lines = read(every, '../metrics.jsonl').trim().split('\n');
    expect(Number(read(every, 'last').slice(5))).toBe(lines.length);
  });

  it('says what it cannot do', () => {
    expect(() => checkpoint('x', { every: 0 })).toThrow(/^checkpoint\.every: must be an integer of at least 1; got 0\.$/);
    expect(() => checkpoint('x', { keep: 0 })).toThrow(/^checkpoint\.keep: must be an integer of at least 1; got 0\.$/);
    expect(() => checkpoint('x', { keeps: 1 } as never)).toThrow(/^checkpoint\.keeps: there is no such option\. Did you mean keep\?/);
  });
});
