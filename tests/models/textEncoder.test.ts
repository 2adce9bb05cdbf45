import * as tf from '@tensorflow/tfjs';
import { beforeEach, describe, expect, it } from 'vitest';
import { createExecutor } from '../../src/backends/index.js';
import { useBackend } from '../../src/backends/useBackend.js';
import { type AnyBatch, type Column, withColumns } from '../../src/core/batch.js';
import { fold, rootKey } from '../../src/core/key.js';
import { signatureOf } from '../../src/core/program.js';
import { maskedLanguage } from '../../src/losses/maskedLanguage.js';
import { type TextEncoder, textEncoder } from '../../src/models/textEncoder.js';
import { type TextEncoderOptions, optionsOfConfig } from '../../src/models/textEncoderSizes.js';
import { withLoss } from '../../src/operators/loss.js';
import { adamw } from '../../src/optimizers/adamw.js';
import { presentBackends, presentTfjs, tfjsName } from '../backends/presentBackends.js';
import { ints } from './ints.js';
import { batchOf, firstValues, forward, largestDifference, lengthColumn, prepared } from './harness.js';

const V = 11;
const small = { vocabulary: V, width: 8, depth: 2, heads: 2, positions: 16, initializerRange: 0.3 } as const;
const kinds: readonly (readonly [string, TextEncoderOptions])[] = [
  ['bert', small],
  ['modern', { ...small, architecture: 'modern' }],
  ['modern, untied', { ...small, architecture: 'modern', tied: false }],
];
const valuesOf = (program: TextEncoder, batch: AnyBatch): ReturnType<typeof firstValues> => firstValues(program.parameters(signatureOf(batch)));
const run = (program: TextEncoder, columns: Record<string, Column>, output: 'logits' | 'askedLogits' | 'hidden' | 'features'): Promise<Float32Array> => {
  const batch = prepared(program, batchOf(columns));
  return forward(program, batch, output, valuesOf(program, batch));
};
/** Numbers from token `from` to `to` of a row. */
const part = (all: Float32Array, tokens: number, width: number, row: number, from: number, to: number): Float32Array =>
  all.subarray((row * tokens + from) * width, (row * tokens + to) * width);

describe.each(await presentTfjs())('on %s', { timeout: 60_000 }, (name) => {
  beforeEach(() => useBackend(tfjsName(name)));

  it.each(kinds)('%s: what padding holds, and how much there is of it, changes nothing', async (_, options) => {
    const program = textEncoder(options);
    const tokens = [3, 1, 4, 1, 5];
    const alone = await run(program, { tokens: ints([tokens]) }, 'logits');
    for (const padding of [[], [0], [9, 9, 2], [7, 0, 1, 8, 3]]) {
      const columns = { tokens: ints([[...tokens, ...padding]]), length: lengthColumn([5]) };
      expect(largestDifference(part(await run(program, columns, 'logits'), 5 + padding.length, V, 0, 0, 5), alone)).toBeLessThan(1e-5);
      expect(largestDifference(await run(program, columns, 'features'), await run(program, { tokens: ints([tokens]) }, 'features'))).toBeLessThan(1e-5);
    }
  });

  it.each(kinds)('%s: packed documents give what each gives alone', async (_, options) => {
    const program = textEncoder(options);
    const [a, b, c] = [
      [3, 1, 4],
      [1, 5, 9, 2],
      [6, 5],
    ] as const;
    const packed = await run(
      program,
      {
        tokens: ints([
          [...a, ...b, 0],
          [...c, ...a, 7, 7, 7],
        ]),
        length: lengthColumn([7, 5]),
        documents: ints([
          [0, 0, 0, 1, 1, 1, 1, -1],
          [0, 0, 1, 1, 1, -1, -1, -1],
        ]),
      },
      'logits',
    );
    const alone = (tokens: readonly number[]): Promise<Float32Array> => run(program, { tokens: ints([tokens]) }, 'logits');
    expect(largestDifference(part(packed, 8, V, 0, 0, 3), await alone(a))).toBeLessThan(1e-5);
    expect(largestDifference(part(packed, 8, V, 0, 3, 7), await alone(b))).toBeLessThan(1e-5);
    expect(largestDifference(part(packed, 8, V, 1, 0, 2), await alone(c))).toBeLessThan(1e-5);
    expect(largestDifference(part(packed, 8, V, 1, 2, 5), await alone(a))).toBeLessThan(1e-5);
  });

  it.each(kinds)('%s: tokens of one row see each other, rows do not', async (_, options) => {
    const program = textEncoder(options);
    const [x, y] = [
      await run(
        program,
        {
          tokens: ints([
            [1, 2, 3],
            [4, 5, 6],
          ]),
        },
        'hidden',
      ),
      await run(
        program,
        {
          tokens: ints([
            [1, 2, 7],
            [4, 5, 6],
          ]),
        },
        'hidden',
      ),
    ];
    expect(largestDifference(part(x, 3, 8, 0, 0, 1), part(y, 3, 8, 0, 0, 1))).toBeGreaterThan(1e-3);
    expect(largestDifference(part(x, 3, 8, 1, 0, 3), part(y, 3, 8, 1, 0, 3))).toBe(0);
  });

  it.each(kinds)('%s: the head at the asked positions is the head everywhere', async (_, options) => {
    const program = textEncoder(options);
    const labels = ints([
      [-100, 4, -100, 0],
      [-100, -100, -100, 10],
    ]);
    const tokens = ints([
      [1, 2, 3, 4],
      [5, 6, 7, 8],
    ]);
    const [some, all] = [await run(program, { tokens, labels }, 'askedLogits'), await run(program, { tokens, labels }, 'logits')];
    expect(some.length).toBe(8 * V);
    for (const [slot, at] of [1, 3, 7].entries())
      expect(largestDifference(some.subarray(slot * V, (slot + 1) * V), all.subarray(at * V, (at + 1) * V))).toBeLessThan(1e-5);
    expect(largestDifference(await run(program, { tokens }, 'askedLogits'), all)).toBe(0);
  });

  it('reads what a corruption made, segments, positions and time', async () => {
    const bert = textEncoder(small);
    const tokens = ints([[1, 2, 3, 4]]);
    const of = (columns: Record<string, Column>, program = bert): Promise<Float32Array> => run(program, columns, 'logits');
    expect(largestDifference(await of({ tokens: ints([[9, 9, 9, 9]]), inputs: tokens }), await of({ tokens }))).toBe(0);
    expect(largestDifference(await of({ tokens, segments: ints([[0, 0, 0, 0]]) }), await of({ tokens }))).toBeLessThan(1e-6);
    expect(largestDifference(await of({ tokens, segments: ints([[0, 0, 1, 1]]) }), await of({ tokens }))).toBeGreaterThan(1e-2);
    expect(largestDifference(await of({ tokens, positions: ints([[0, 1, 2, 3]]) }), await of({ tokens }))).toBeLessThan(1e-6);
    expect(largestDifference(await of({ tokens, positions: ints([[0, 1, 0, 1]]) }), await of({ tokens }))).toBeGreaterThan(1e-2);
    const modern = textEncoder({ ...small, architecture: 'modern' });
    // WGSL asks of sin and cos an absolute error of 2⁻¹¹ only.
    expect(largestDifference(await of({ tokens, positions: ints([[5, 6, 7, 8]]) }, modern), await of({ tokens }, modern))).toBeLessThan(
      tf.getBackend() === 'webgpu' ? 1e-3 : 1e-4,
    );
    expect(largestDifference(await of({ tokens, positions: ints([[0, 1, 0, 1]]) }, modern), await of({ tokens }, modern))).toBeGreaterThan(1e-3);
    for (const architecture of ['bert', 'modern'] as const) {
      const timed = textEncoder({ ...small, architecture, time: true });
      const at = (t: number): Promise<Float32Array> => of({ tokens, time: { data: Float32Array.of(t), shape: [1] } }, timed);
      expect(largestDifference(await at(0.2), await at(0.8))).toBeGreaterThan(1e-4);
      expect(largestDifference(await at(0.2), await at(0.2))).toBe(0);
    }
  });

  it.each(kinds)('%s: ids that are never predicted have no probability, the others the same odds', async (_, options) => {
    const tokens = ints([[1, 2, 3]]);
    const [free, bound] = [await run(textEncoder(options), { tokens }, 'logits'), await run(textEncoder({ ...options, never: [4, 10] }), { tokens }, 'logits')];
    for (let i = 0; i < free.length; i++) {
      if (i % V === 4 || i % V === 10) expect(Math.exp((bound[i] as number) - (free[i] as number))).toBe(0);
      else expect(bound[i]).toBe(free[i]);
    }
  });
});

/** A corpus of four sentences in which each token says which one it is. */
const sentences = [
  [1, 2, 3, 4],
  [4, 5, 6, 7],
  [7, 8, 9, 1],
  [9, 3, 5, 8],
];

describe.each(await presentBackends({ software: false }))('a few steps on %s', { timeout: 60_000 }, (backend) => {
  it.each([
    ['bert', small],
    ['modern, timed', { ...small, architecture: 'modern', time: true, never: [0] }],
  ] as const)('%s learns four sentences by heart', async (_, options) => {
    const program = textEncoder({ ...options, width: 16, depth: 1, initializerRange: 0.1 });
    const learning = withLoss(program, maskedLanguage());
    const executor = await createExecutor({ backend, seed: 3 });
    try {
      // Each token of each sentence is hidden (id 0) in a row of its own.
      const rows = sentences.flatMap((row) => row.map((_id, hidden) => ({ row, hidden })));
      const plain = batchOf({
        tokens: ints(rows.map(({ row }) => row)),
        inputs: ints(rows.map(({ row, hidden }) => row.map((id, i) => (i === hidden ? 0 : id)))),
        labels: ints(rows.map(({ row, hidden }) => row.map((id, i) => (i === hidden ? id : -100)))),
        time: { data: new Float32Array(16).fill(0.25), shape: [16] },
      });
      const batch = withColumns(plain, program.prepare(plain));
      const optimizer = adamw();
      const losses: number[] = [];
      for (let step = 1; step <= 40; step++) {
        const { sum, count } = await executor.step(learning, batch, optimizer, { learningRate: 0.03, step }, { clip: 1 });
        losses.push(sum / count);
      }
      expect(losses[0]).toBeGreaterThan(Math.log(10) - 0.5);
      expect(losses.at(-1)).toBeLessThan(0.3);
    } finally {
      executor.dispose();
    }
  });
});

describe('textEncoder', () => {
  it('asks for positions of packed rows, time and ids', () => {
    const inputs = (options: TextEncoderOptions, columns: Record<string, Column>): readonly string[] =>
      textEncoder(options).inputs(signatureOf(batchOf(columns)));
    const tokens = ints([[1, 2]]);
    expect(inputs(small, { tokens, length: lengthColumn([2]), segments: tokens })).toEqual(['tokens', 'length', 'segments']);
    expect(inputs({ ...small, architecture: 'modern' }, { tokens, inputs: tokens, length: lengthColumn([2]), segments: tokens, documents: tokens })).toEqual([
      'inputs',
      'documents',
    ]);
    expect(() => inputs(small, { tokens, documents: tokens })).toThrow('textEncoder.positions: the batch has documents but not the positions made from them');
    expect(() => inputs({ ...small, time: true }, { tokens })).toThrow('textEncoder.time: the batch has no column time; got ["tokens"]');
    expect(() => inputs(small, { tokens: { data: new Float32Array(2), shape: [1, 2] } })).toThrow(
      'must be int32 [rows, L], ids below 11; got "float32 [1, 2]"',
    );
    expect(() => textEncoder(small).inputs({ rows: 1, columns: {} })).toThrow(
      'textEncoder.tokens: the batch has no such column; got []. Put tokenize(…) in front of model(…).',
    );
    expect(() => inputs({ ...small, positions: 1 }, { tokens })).toThrow('textEncoder.positions: must be at least the 2 tokens of a row; got 1');
  });

  it('prepare refuses segments and positions that BERT has no row for', () => {
    const tokens = ints([[1, 2]]);
    expect(() => textEncoder(small).prepare(batchOf({ tokens, segments: ints([[0, 2]]) }))).toThrow(
      'textEncoder.segments: must be above every number of its column; sample 0 has 2',
    );
    expect(() => textEncoder(small).prepare(batchOf({ tokens, positions: ints([[0, 16]]) }))).toThrow('textEncoder.positions: must be above');
    expect(() => textEncoder({ ...small, architecture: 'modern' }).prepare(batchOf({ tokens, positions: ints([[0, 16]]) }))).not.toThrow();
  });

  it('prepare refuses ids beyond the vocabulary and names the sample', () => {
    const batch = batchOf({
      tokens: ints([
        [1, 2],
        [3, 11],
      ]),
    });
    expect(() => textEncoder(small).prepare(batch)).toThrow('textEncoder.vocabulary: must be above every number of its column; sample 1 has 11; got 11');
  });

  it('prepare makes plans whose sizes depend on the layout alone, and positions that begin anew in each document', () => {
    const program = textEncoder(small);
    const columns = (tokens: number[][]): Record<string, Column> => program.prepare(batchOf({ tokens: ints(tokens), labels: ints([[1, -100, -100, 2]]) }));
    const shapes = (made: Record<string, Column>): unknown => Object.entries(made).map(([name, { shape }]) => [name, shape]);
    expect(shapes(columns([[1, 1, 1, 1]]))).toEqual(shapes(columns([[1, 2, 3, 4]])));
    const { positions } = program.prepare(batchOf({ tokens: ints([[1, 2, 3, 4, 5]]), documents: ints([[0, 0, 1, 1, -1]]) }));
    expect([...(positions?.data ?? [])]).toEqual([0, 1, 0, 1, 0]);
    expect(textEncoder({ ...small, architecture: 'modern' }).prepare(batchOf({ tokens: ints([[1]]), documents: ints([[0]]) })).positions).toBeUndefined();
  });

  it('says which option does not fit', () => {
    const made =
      (options: object): (() => TextEncoder) =>
      () =>
        textEncoder(options as TextEncoderOptions);
    expect(made({})).toThrow('textEncoder.vocabulary: must be the number of ids; got undefined. Write textEncoder({ vocabulary: words.vocabulary }).');
    expect(made({ ...small, width: 9 })).toThrow('textEncoder.width: must be a multiple of 2 heads; got 9. Try 10.');
    expect(made({ ...small, architecture: 'modern', width: 6 })).toThrow('must be a multiple of 4, twice the heads; got 6. Try 8.');
    expect(made({ ...small, architecture: 'gpt' })).toThrow("textEncoder.architecture: must be 'bert' or 'modern'");
    expect(made({ ...small, tied: false })).toThrow("textEncoder.tied: can be false only with architecture: 'modern'");
    expect(made({ ...small, never: [11] })).toThrow('textEncoder.never: must hold ids below the vocabulary of 11; got 11');
    expect(made({ ...small, vocabulary: 1, never: [0] })).toThrow('must leave at least one id');
    expect(made({ ...small, normEps: 0 })).toThrow('textEncoder.normEps: must be a positive number; got 0');
    expect(made({ ...small, witdh: 8 })).toThrow('Did you mean width?');
  });

  it('a configuration leads back to the options that it came from', () => {
    for (const [, options] of kinds) {
      const made = textEncoder({ ...options, hidden: 20, normEps: 1e-4 });
      const config = made.config({ rows: 0, columns: {} });
      const again = textEncoder({ ...optionsOfConfig(JSON.parse(JSON.stringify(config)) as Record<string, unknown>) });
      expect(again.recipe).toEqual(made.recipe);
    }
    expect(textEncoder(small).config({ rows: 0, columns: {} })).toMatchObject({
      architectures: ['BertForMaskedLM'],
      model_type: 'bert',
      vocab_size: V,
      hidden_size: 8,
    });
  });

  it('refuses configurations of models that compute something else', () => {
    const bert = { model_type: 'bert', vocab_size: 5, hidden_size: 4, num_hidden_layers: 1, num_attention_heads: 1, intermediate_size: 8 };
    expect(optionsOfConfig(bert)).toMatchObject({ architecture: 'bert', vocabulary: 5, segments: 2, normEps: 1e-12 });
    expect(() => optionsOfConfig({ ...bert, model_type: 'roberta' })).toThrow(
      "textEncoder.from: model_type in its config.json must be 'bert' (BertForMaskedLM) or 'llama'",
    );
    expect(() => optionsOfConfig({ ...bert, hidden_act: 'relu' })).toThrow('hidden_act in its config.json must be gelu; got "relu"');
    expect(() => optionsOfConfig({ ...bert, position_embedding_type: 'relative_key' })).toThrow('must be absolute');
    expect(() => optionsOfConfig({ ...bert, model_type: 'llama', num_key_value_heads: 3 })).toThrow('num_key_value_heads in its config.json must be 1; got 3');
    expect(() => optionsOfConfig({ ...bert, model_type: 'llama', rope_parameters: { rope_type: 'yarn' } })).toThrow('must be of the default type');
  });

  it('starts from stored weights, whatever they are called, and refuses others', () => {
    const first = textEncoder(small);
    const config = first.config({ rows: 0, columns: {} });
    const stored = new Map(
      Object.entries(first.parameters({ rows: 0, columns: {} })).map(([name, { shape }], i): [string, Column] => [
        name,
        { data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(i), shape },
      ]),
    );
    const valuesFrom = (weights: ReadonlyMap<string, Column>, options: Partial<TextEncoderOptions> = {}): Record<string, number | undefined> => {
      const parameters = textEncoder({ from: { config, weights, fingerprint: 'x' }, ...options }).parameters({ rows: 0, columns: {} });
      return Object.fromEntries(Object.entries(parameters).map(([name, { init, shape }]) => [name, init.values(fold(rootKey(0), 'a'), shape)[0]]));
    };
    const expected = Object.fromEntries([...stored].map(([name, { data }]) => [name, data[0]]));
    expect(valuesFrom(stored)).toEqual(expected);
    // Old names, copies of tied tensors, and heads that a masked language model does not have.
    const old = new Map(
      [...stored].map(([name, column]) => [name.replace('LayerNorm.weight', 'LayerNorm.gamma').replace('LayerNorm.bias', 'LayerNorm.beta'), column]),
    );
    old.set('bert.pooler.dense.weight', { data: new Float32Array(64), shape: [8, 8] });
    old.set('cls.predictions.decoder.weight', stored.get('bert.embeddings.word_embeddings.weight') as Column);
    old.set('cls.predictions.decoder.bias', stored.get('cls.predictions.bias') as Column);
    old.delete('cls.predictions.bias');
    expect(valuesFrom(old)).toEqual(expected);
    // A time input starts from first values.
    expect(Object.keys(valuesFrom(stored, { time: true })).filter((name) => !stored.has(name))).toEqual([
      'time_embed.0.weight',
      'time_embed.0.bias',
      'time_embed.2.weight',
      'time_embed.2.bias',
    ]);
    expect(textEncoder({ from: { config, weights: stored, fingerprint: 'x' } }).recipe.options).toMatchObject({ from: 'x', vocabulary: V });
    const lacking = new Map(stored);
    lacking.delete('cls.predictions.transform.dense.weight');
    expect(() => valuesFrom(lacking)).toThrow('textEncoder.from: the stored model has no tensor cls.predictions.transform.dense.weight');
    const odd = new Map(stored).set('cls.predictions.bias', { data: new Float32Array(3), shape: [3] });
    expect(() => valuesFrom(odd)).toThrow('the stored tensor cls.predictions.bias must have shape [11]; got "[3]"');
    expect(() => valuesFrom(stored, { width: 16 })).toThrow('textEncoder.width: must be that of the weights it starts from, 8; got 16. Leave width out.');
  });
});
