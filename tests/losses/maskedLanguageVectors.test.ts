// Edge cases of the cards masked-language, lem and masked-diffusion through the chain of stages: rules that hide nothing, and one id.
import * as tf from '@tensorflow/tfjs';
import { type OperatorFunction, firstValueFrom, of } from 'rxjs';
import { beforeAll, describe, expect, it } from 'vitest';
import { useBackend } from '../../src/backends/useBackend.js';
import type { AnyBatch, Column } from '../../src/core/batch.js';
import type { Tensor } from '../../src/core/program.js';
import { maskedLanguage } from '../../src/losses/index.js';
import {
  type Mask,
  absorbingCount,
  corrupt,
  countBased,
  countWeight,
  diffusionTime,
  linguisticEntity,
  mask,
  replaceWithMask,
  wholeWord,
} from '../../src/operators/index.js';
import { presentTfjs } from '../backends/presentBackends.js';

beforeAll(async () => {
  await presentTfjs({ only: ['cpu'] });
  await useBackend('cpu');
});

type Stages = OperatorFunction<AnyBatch, AnyBatch>;

/** A row of <s> words </s> with special tokens 0 and the words' pieces counting up from 1. */
function sentence(...pieces: number[]): AnyBatch {
  const words = [-1, ...pieces.flatMap((n, word) => new Array<number>(n).fill(word)), -1];
  const shape = [1, words.length];
  const column = <T extends Int32Array | Uint8Array>(data: T): Column<T> => ({ data, shape });
  return {
    rows: 1,
    columns: {
      tokens: column(Int32Array.from(words, (word) => word + 1)),
      special: column(Uint8Array.from(words, (word) => (word < 0 ? 1 : 0))),
      words: column(Int32Array.from(words)),
      tags: column(new Uint8Array(words.length)),
      length: { data: Int32Array.of(words.length), shape: [1] },
    },
    origins: [{ source: 0, id: 7, epoch: 0, position: 0 }],
    program: undefined,
  };
}

async function lossOf(
  columns: AnyBatch['columns'],
  vocabulary: number,
  over: 'asked' | 'tokens' = 'asked',
): Promise<{ sum: number; count: number; gradient: number[] }> {
  const tensors = Object.fromEntries(
    Object.entries(columns).flatMap(([name, column]) =>
      'data' in column ? [[name, tf.tensor(column.data as Int32Array, [...column.shape], column.data instanceof Float32Array ? 'float32' : 'int32')]] : [],
    ),
  );
  const labels = columns.labels as Column;
  const cells = labels.data.length;
  const signature = { rows: 1, columns: {} };
  const logits = tf.zeros([cells, vocabulary]);
  const build = (x: Tensor) => maskedLanguage({ over }).build({ askedLogits: x }, tensors, signature);
  const { sum, count } = build(logits);
  const gradient = await tf
    .grad((x: Tensor) => build(x).sum as tf.Scalar)(logits)
    .data();
  return { sum: (await sum.data())[0] as number, count: (await count.data())[0] as number, gradient: [...gradient] };
}

const chain = async (batch: AnyBatch, rule: Mask): Promise<AnyBatch['columns']> =>
  (await firstValueFrom(of(batch).pipe(mask(rule) as unknown as Stages, corrupt({ maskId: 1, vocabulary: 9 }) as unknown as Stages))).columns;

describe('a rule that hides nothing', () => {
  it.each([
    ['whole words that are all longer than the budget', wholeWord(), sentence(3, 4, 3)],
    ['linguistic entities of an empty sentence', linguisticEntity(), sentence()],
    ['counts of an empty sentence', countBased(), sentence()],
  ])('%s: loss and gradient are 0, not NaN', async (_, rule, batch) => {
    const columns = await chain(batch, rule);
    expect((columns.labels as Column).data.every((label) => label === -100)).toBe(true);
    expect((columns.inputs as Column).data).toEqual((batch.columns.tokens as Column).data);
    const { sum, count, gradient } = await lossOf(columns, 9);
    expect([sum, count]).toEqual([0, 0]);
    expect(gradient.every((x) => x === 0)).toBe(true);
  });
});

describe("the card's words {3 pieces}, {1}, {1} with a budget of 2", () => {
  it('are labelled at both singles and nowhere else', async () => {
    // Ratio 0.29 of 7 tokens: round(2.03) = 2.
    const columns = await chain(sentence(3, 1, 1), wholeWord({ ratio: 0.29 }));
    expect([...(columns.labels as Column).data]).toEqual([-100, -100, -100, -100, 2, 3, -100]);
    const { sum, count } = await lossOf(columns, 9);
    expect(sum / count).toBeCloseTo(Math.log(9), 5);
  });
});

describe('masked diffusion', () => {
  it('with one id loses nothing', async () => {
    const batch = sentence(1, 1, 1);
    const one = { ...batch, columns: { ...batch.columns, labels: { data: Int32Array.of(-100, 0, 0, 0, -100), shape: [1, 5] } } };
    const { sum, count } = await lossOf(one.columns, 1, 'tokens');
    expect(sum).toBe(0);
    expect(count).toBe(3);
  });

  it('with equal logits loses ln V a token in its time-free form, exactly, whatever was hidden', async () => {
    for (let id = 0; id < 20; id++) {
      const batch = { ...sentence(1, 1, 2, 1), origins: [{ source: 0, id, epoch: 0, position: 0 }] };
      const stages = [diffusionTime({ least: 0 }), mask(absorbingCount()), countWeight(), replaceWithMask({ maskId: 8 })] as unknown as Stages[];
      const { columns } = await firstValueFrom(stages.reduce((batches, stage) => batches.pipe(stage), of(batch as AnyBatch)));
      const [tokens, hidden] = [columns.tokens as Column, columns.mask as Column];
      const labels = { data: Int32Array.from(tokens.data, (token, i) => (hidden.data[i] === 1 ? token : -100)), shape: [1, 7] };
      const { sum, count } = await lossOf({ ...columns, labels }, 9, 'tokens');
      expect(count).toBe(5);
      expect(sum / count).toBeCloseTo(Math.log(9), 5);
    }
  });
});
