// The head of SpanBERT's boundary objective (Joshi et al., TACL 2020, section 3.2) on a text encoder: a hidden token from the outputs
// at the two tokens around its span and its place in the span. Around the encoder, not in it: without this line nothing changes,
// and with it the encoder's own parameters keep their names, so that a checkpoint's folder opens as before.
import * as tf from '@tensorflow/tfjs';
import { type AnyBatch, type Column, isColumn } from '../core/batch.js';
import { MaskflowError } from '../core/errors.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import { type Parameters, type Program, type Signature, type Tensor, type Tensors, lazy } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import { normal } from './initializers/normal.js';
import { zeros } from './initializers/zeros.js';
import { embedding } from './layers/embedding.js';
import { gelu } from './layers/gelu.js';
import { layerNorm, layerNormParameters } from './layers/layerNorm.js';
import { linear, linearParameters, project } from './layers/linear.js';
import { parameter } from './layers/parameter.js';
import { spanBoundaryPlan } from './spanBoundaryPlan.js';
import type { TextEncoder, TextEncoderOutput } from './textEncoder.js';
import { startingFrom, wordTable } from './textEncoderLayout.js';
import type { StoredModel } from './textEncoderSizes.js';

export interface WithSpanBoundaryOptions {
  /** Tokens of a span that are asked, from its first one on; rows of the position table. Default 15. */
  readonly targets?: number;
  /** Numbers of a position. Default 200. */
  readonly positionWidth?: number;
  /** Added to the variance in both norms. Default 1e-12. */
  readonly normEps?: number;
  /** Standard deviation of first weights. Default 0.02. */
  readonly initializerRange?: number;
  /** Starts from the head in this folder, a checkpoint of ours; the encoder has its own `from`. Default: from first values. */
  readonly from?: StoredModel;
}

/** `boundaryLogits` float32 [slots, vocabulary]: in the slots of the column `asked`, from the boundaries of each slot's span. */
export type BoundaryEncoder = Program<TextEncoderOutput | 'boundaryLogits'> & Required<Pick<Program, 'prepare' | 'config'>> & { readonly vocabulary: number };

const prefix = 'span_boundary';
const plan = ['boundarySides', 'boundaryOffsets', 'boundarySources', 'boundaryPlaces'] as const;

/**
 * The encoder with the output `boundaryLogits`, for the loss `spanBoundary`:
 * E · norm(gelu(W₂ norm(gelu(W₁ [left; right; position])))) + b, E the encoder's table of words. Which tokens stand around a span is
 * read off the columns `mask` (without one, off `labels`), `special`, `length` and `documents` on the host, by `prepare`.
 *
 * @throws MaskflowError for unknown or illegal options, a program that is no text encoder, and, where `boundaryLogits` are wanted, a
 * batch without labels
 * @example
 * const encoder = withSpanBoundary(textEncoder({ vocabulary: words.vocabulary }));
 * asking.pipe(model(encoder), loss(maskedLanguage()), loss(spanBoundary(), { name: 'boundary' }), train(adamw()));
 */
export function withSpanBoundary(encoder: TextEncoder, options: WithSpanBoundaryOptions = {}): BoundaryEncoder {
  checkOptions('withSpanBoundary', options, ['targets', 'positionWidth', 'normEps', 'initializerRange', 'from']);
  const { targets = 15, positionWidth = 200, normEps = 1e-12, initializerRange = 0.02, from } = options;
  for (const [name, value] of Object.entries({ targets, positionWidth })) checkInteger('withSpanBoundary', name, value);
  for (const [name, value] of Object.entries({ normEps, initializerRange }))
    check(Number.isFinite(value) && value > 0, 'withSpanBoundary', name, 'must be a positive number', value);
  check(typeof encoder?.build === 'function', 'withSpanBoundary', 'encoder', 'must be a text encoder', encoder, 'Write withSpanBoundary(textEncoder({ … })).');
  // A text encoder's parameters are the same for every batch.
  const base = encoder.parameters({ rows: 1, columns: {} });
  const table = (['bert', 'modern'] as const).map((architecture) => wordTable({ architecture })).find((name) => name in base);
  if (table === undefined) {
    throw new MaskflowError({ stage: 'withSpanBoundary', option: 'encoder', rule: 'must be a text encoder, with a table of words', value: Object.keys(base) });
  }
  const [vocabulary, width] = (base[table] as Parameters[string]).shape as [number, number];
  const first = headParameters({ vocabulary, width, targets, positionWidth, initializerRange });
  const parameters = { ...base, ...(from === undefined ? first : startingFrom(first, from)) };

  const logits = (values: Tensors, hidden: Tensor, columns: Tensors): Tensor => {
    const { boundarySides: sides, boundaryOffsets: offsets, boundarySources: sources, boundaryPlaces: places } = columns;
    if (sides === undefined || offsets === undefined || sources === undefined || places === undefined) {
      throw new MaskflowError({
        stage: 'withSpanBoundary',
        option: 'labels',
        rule: 'boundaryLogits need a batch with labels',
        hint: 'Put corrupt(…) in front of model(…).',
      });
    }
    const slots = offsets.shape[0] as number;
    const around = embedding(hidden.reshape([-1, width]), sides, { sources, places });
    // The few positions as a product: its gradient is one too.
    const positions = parameter(values, `${prefix}.position_embeddings.weight`) as tf.Tensor2D;
    const placed = tf.matMul(tf.oneHot(offsets.maximum(tf.scalar(0, 'int32')) as tf.Tensor1D, targets).toFloat() as tf.Tensor2D, positions);
    let x: Tensor = tf.concat([around.slice([0, 0], [slots, width]), around.slice([slots, 0], [slots, width]), placed], 1);
    for (const layer of [1, 2]) x = layerNorm(values, `${prefix}.layer_norm${layer}`, gelu(linear(values, `${prefix}.linear${layer}`, x)), normEps);
    return project(x, parameter(values, table), parameter(values, `${prefix}.bias`));
  };

  return {
    ...encoder,
    recipe: recipe('maskflow/models', 'withSpanBoundary', {
      of: encoder.recipe,
      ...{ targets, positionWidth, normEps, initializerRange },
      ...(from === undefined ? {} : { from: from.fingerprint }),
    }),
    inputs: (signature: Signature) => [...encoder.inputs(signature), ...plan.filter((name) => name in signature.columns)],
    prepare(batch: AnyBatch): Readonly<Record<string, Column>> {
      const prepared = encoder.prepare(batch);
      const { asked } = prepared;
      const { mask, labels, special, length, documents } = batch.columns;
      if (asked === undefined || !isColumn(labels)) return prepared;
      const wide = (column: unknown): Column | undefined => (isColumn(column) && column.data.length === labels.data.length ? column : undefined);
      const hidden = wide(mask) ?? { data: Uint8Array.from(labels.data, (id) => (id >= 0 ? 1 : 0)), shape: labels.shape };
      const known = { special: wide(special), length: isColumn(length) ? length : undefined, documents: wide(documents) };
      return { ...prepared, ...spanBoundaryPlan(asked, { hidden: { data: hidden.data, shape: labels.shape }, ...known }, targets) };
    },
    parameters: () => parameters,
    build(values, columns, draws, signature) {
      const inner = encoder.build(values, columns, draws, signature) as Readonly<Record<TextEncoderOutput, Tensor>>;
      const names = Object.keys(inner) as TextEncoderOutput[];
      const own = Object.fromEntries(names.map((name) => [name, () => inner[name]])) as Readonly<Record<TextEncoderOutput, () => Tensor>>;
      return lazy<TextEncoderOutput | 'boundaryLogits', Tensor>({ ...own, boundaryLogits: () => logits(values, inner.hidden, columns) });
    },
  };
}

/** Shapes and first values, as those of `textEncoder`: N(0, initializerRange²), zeros for biases, ones for the scales of norms. */
function headParameters({
  vocabulary,
  width,
  targets,
  positionWidth,
  initializerRange,
}: { readonly vocabulary: number; readonly width: number } & Required<
  Pick<WithSpanBoundaryOptions, 'targets' | 'positionWidth' | 'initializerRange'>
>): Parameters {
  const init = normal({ std: initializerRange });
  return {
    [`${prefix}.position_embeddings.weight`]: { shape: [targets, positionWidth], init },
    ...linearParameters(`${prefix}.linear1`, { inputs: 2 * width + positionWidth, outputs: width, init }),
    ...layerNormParameters(`${prefix}.layer_norm1`, width),
    ...linearParameters(`${prefix}.linear2`, { inputs: width, outputs: width, init }),
    ...layerNormParameters(`${prefix}.layer_norm2`, width),
    [`${prefix}.bias`]: { shape: [vocabulary], init: zeros() },
  };
}
