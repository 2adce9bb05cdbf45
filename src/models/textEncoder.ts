// A bidirectional transformer over token ids: BERT (Devlin, Chang, Lee, Toutanova: "BERT", NAACL 2019) with the names and layout
// of Hugging Face's `BertForMaskedLM`, or LLaMA's block without causal mask, the network of LLaDA, SMDM and (with rotary
// positions in place of learned ones) MDLM. The head over the vocabulary runs only where the loss asks.
import * as tf from '@tensorflow/tfjs';
import { type AnyBatch, type Column, isColumn } from '../core/batch.js';
import { MaskflowError } from '../core/errors.js';
import { check } from '../core/options.js';
import { type Program, type Signature, type Tensor, type Tensors, lazy } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import { askedPlan } from './askedPlan.js';
import { keyBias } from './layers/attend.js';
import { bertBlock } from './layers/bertBlock.js';
import { embedding } from './layers/embedding.js';
import { gatherOnce } from './layers/gatherOnce.js';
import { gelu } from './layers/gelu.js';
import { layerNorm } from './layers/layerNorm.js';
import { linear, project } from './layers/linear.js';
import { llamaBlock } from './layers/llamaBlock.js';
import { parameter } from './layers/parameter.js';
import { product } from './layers/product.js';
import { rmsNorm } from './layers/rmsNorm.js';
import { rotaryAngles } from './layers/rotary.js';
import { timeEmbedding } from './layers/timeEmbedding.js';
import { placesWithin } from './placesWithin.js';
import { sumPlan } from './sumPlan.js';
import { startingFrom, textEncoderConfig, textEncoderParameters, timePrefix, wordTable } from './textEncoderLayout.js';
import { type TextEncoderOptions, type TextEncoderSizes, textEncoderSizes } from './textEncoderSizes.js';

/**
 * `logits` [rows, L, vocabulary]: everywhere. `askedLogits` [slots, vocabulary]: at the flat positions of the column `asked`, which
 * `prepare` makes where there are `labels`; without it everywhere, [rows · L, vocabulary]. `hidden` [rows, L, width]: the
 * last block's normed output. `features` [rows, width]: its mean over the tokens that exist. All float32.
 */
export type TextEncoderOutput = 'logits' | 'askedLogits' | 'hidden' | 'features';
export type TextEncoder = Program<TextEncoderOutput> &
  Required<Pick<Program, 'prepare' | 'config'>> & {
    /** Number of ids. */
    readonly vocabulary: number;
  };

const plans = ['asked', 'askedSlots', 'tokenSources', 'tokenPlaces'] as const;

/** Column of the ids that the model reads, its rows and their length. */
function idsOf({ vocabulary, positions, architecture }: TextEncoderSizes, { columns }: Signature): { name: string; rows: number; tokens: number } {
  const name = 'inputs' in columns ? 'inputs' : 'tokens';
  const spec = columns[name];
  if (spec === undefined) {
    throw new MaskflowError({
      stage: 'textEncoder',
      option: 'tokens',
      rule: 'the batch has no such column',
      value: Object.keys(columns),
      hint: 'Put tokenize(…) in front of model(…).',
    });
  }
  check(
    spec.dtype === 'int32' && spec.shape.length === 2,
    'textEncoder',
    name,
    `must be int32 [rows, L], ids below ${vocabulary}`,
    `${spec.dtype} [${spec.shape.join(', ')}]`,
    'tokenize(…) makes such a column.',
  );
  const [rows, tokens] = spec.shape as [number, number];
  check(architecture === 'modern' || tokens <= positions, 'textEncoder', 'positions', `must be at least the ${tokens} tokens of a row`, positions);
  return { name, rows, tokens };
}

/** [rows, L], 1 where a token exists; undefined where nothing says that any pads. */
function existing({ documents, length }: Tensors, tokens: number): Tensor | undefined {
  if (documents !== undefined) return documents.greaterEqual(tf.scalar(0, 'int32')).toFloat();
  return length && tf.greater(length.reshape([-1, 1]), tf.range(0, tokens, 1, 'int32').reshape([1, tokens])).toFloat();
}

/** What each query may not see: padding, and other documents of its row. */
function biasOf(columns: Tensors, tokens: number): Tensor | undefined {
  const { documents } = columns;
  if (documents !== undefined) return keyBias(documents.expandDims(2).equal(documents.expandDims(1)).toFloat());
  const keys = existing(columns, tokens);
  return keys && keyBias(keys);
}

function encode(sizes: TextEncoderSizes, ids: Tensor, parameters: Tensors, columns: Tensors): Tensor {
  const { architecture, width, depth, heads, segments, normEps: eps, theta, time } = sizes;
  const [rows, tokens] = ids.shape as [number, number];
  const { tokenSources: sources, tokenPlaces: places, positions } = columns;
  const table = parameter(parameters, wordTable(sizes));
  const words = embedding(table, ids, sources && places && { sources, places });
  const timed = (x: Tensor): Tensor => (time ? x.add(timeEmbedding(parameters, timePrefix, columns.time as Tensor, width).expandDims(1)) : x);
  const bias = biasOf(columns, tokens);
  if (architecture === 'modern') {
    const angles = rotaryAngles({ tokens, size: width / heads, theta, positions });
    let x = timed(words);
    for (let i = 0; i < depth; i++) x = llamaBlock(parameters, `model.layers.${i}`, x, { heads, eps, bias, angles });
    return rmsNorm(parameters, 'model.norm', x, eps);
  }
  const prefix = 'bert.embeddings';
  const orders = parameter(parameters, `${prefix}.position_embeddings.weight`);
  const placed = positions === undefined ? orders.slice([0, 0], [tokens, width]) : embedding(orders, positions);
  // The few kinds of segments as a product: its gradient is one too.
  const kinds = parameter(parameters, `${prefix}.token_type_embeddings.weight`);
  const kind =
    columns.segments === undefined
      ? kinds.slice([0, 0], [1, width])
      : tf.matMul(tf.oneHot(columns.segments.reshape([-1]) as tf.Tensor1D, segments).toFloat(), kinds as tf.Tensor2D).reshape([rows, tokens, width]);
  let x = timed(layerNorm(parameters, `${prefix}.LayerNorm`, words.add(placed).add(kind), eps));
  for (let i = 0; i < depth; i++) x = bertBlock(parameters, `bert.encoder.layer.${i}`, x, { heads, eps, bias });
  return x;
}

/** Logits of `hidden` [n, width]: [n, vocabulary]. */
function head(sizes: TextEncoderSizes, parameters: Tensors, hidden: Tensor): Tensor {
  const { architecture, vocabulary, normEps, tied, never } = sizes;
  const lowered = tf.tensor1d(Float32Array.from({ length: vocabulary }, (_, id) => (never.includes(id) ? -1e9 : 0)));
  if (architecture === 'modern') {
    const logits = product(hidden, parameter(parameters, tied ? wordTable(sizes) : 'lm_head.weight'));
    return never.length === 0 ? logits : logits.add(lowered);
  }
  const prefix = 'cls.predictions';
  const x = layerNorm(parameters, `${prefix}.transform.LayerNorm`, gelu(linear(parameters, `${prefix}.transform.dense`, hidden)), normEps);
  const bias = parameter(parameters, `${prefix}.bias`);
  return project(x, parameter(parameters, wordTable(sizes)), never.length === 0 ? bias : bias.add(lowered));
}

/**
 * A text encoder as a program. Reads ids int32 [rows, L], `inputs` (what a corruption made) where there is such a column, else
 * `tokens`; and where present `length` [rows] (padding is not seen), `documents` [rows, L] (packed documents see themselves
 * alone, and BERT's positions begin anew in each), `segments` [rows, L] (BERT), `positions` [rows, L] (places other than 0, 1, 2 …),
 * and with `time: true` the column `time` [rows].
 *
 * `prepare` makes index columns on the host: of the positions with a label, so that the head runs there alone, and of the sums in
 * the gradient of the word table; the `model` stage adds them. Parameters bear the names, shapes and layout of Hugging Face's
 * `BertForMaskedLM` (with `architecture: 'modern'`, of `LlamaForCausalLM`); a checkpoint's folder opens there, and with
 * `from: modelFolder(…)` a folder from there goes on here. There is no dropout. Outputs: `TextEncoderOutput`.
 *
 * @throws MaskflowError where an option, a column or an id does not fit, or `prepare` was left out for packed rows.
 * @example
 * const encoder = textEncoder({ vocabulary: words.vocabulary, width: 128, depth: 4, heads: 4 });
 * batches.pipe(mask(bernoulli()), corrupt({ maskId: words.maskId, vocabulary: words.vocabulary }), model(encoder), loss(maskedLanguage()));
 */
export function textEncoder(options: TextEncoderOptions): TextEncoder {
  const sizes = textEncoderSizes(options);
  const { weights = 'student', from } = options;
  const first = textEncoderParameters(sizes);
  const parameters = from === undefined ? first : startingFrom(first, from);
  const bert = sizes.architecture === 'bert';
  return {
    recipe: recipe('maskflow/models', 'textEncoder', { ...sizes, weights, ...(from === undefined ? {} : { from: from.fingerprint }) }),
    weights,
    vocabulary: sizes.vocabulary,
    inputs(signature: Signature) {
      const { name } = idsOf(sizes, signature);
      const { columns } = signature;
      if (bert && 'documents' in columns && !('positions' in columns)) {
        throw new MaskflowError({
          stage: 'textEncoder',
          option: 'positions',
          rule: 'the batch has documents but not the positions made from them',
          hint: 'model(textEncoder(…)) adds them; by hand: withColumns(batch, program.prepare(batch)).',
        });
      }
      if (sizes.time && !('time' in columns)) {
        throw new MaskflowError({
          stage: 'textEncoder',
          option: 'time',
          rule: 'the batch has no column time',
          value: Object.keys(columns),
          hint: 'Leave time out, or put the stage that draws it in front of model(…).',
        });
      }
      const wanted = ['documents' in columns ? 'documents' : 'length', 'positions', ...(bert ? ['segments'] : []), ...(sizes.time ? ['time'] : []), ...plans];
      return [name, ...wanted.filter((column) => column in columns)];
    },
    prepare(batch: AnyBatch): Readonly<Record<string, Column>> {
      const { columns } = batch;
      const ids = isColumn(columns.inputs) ? columns.inputs : columns.tokens;
      // A missing or ill-typed column is the error of `inputs`.
      if (!isColumn(ids) || !(ids.data instanceof Int32Array)) return {};
      const { vocabulary } = sizes;
      const refuse = (option: string, column: unknown, most: number, hint?: string): void => {
        if (!isColumn(column)) return;
        const odd = column.data.findIndex((id) => !(id >= 0 && id < most));
        const sample = batch.origins[Math.floor(odd / (column.shape[1] ?? 1))]?.id;
        check(odd === -1, 'textEncoder', option, `must be above every number of its column; sample ${sample} has ${column.data[odd]}`, most, hint);
      };
      refuse('vocabulary', ids, vocabulary, 'Write vocabulary: words.vocabulary.');
      if (bert) refuse('segments', columns.segments, sizes.segments);
      if (bert) refuse('positions', columns.positions, sizes.positions);
      const { sources, places } = sumPlan(ids.data, vocabulary);
      const { labels, documents, positions } = columns;
      const same = (column: unknown): column is Column => isColumn(column) && column.data.length === ids.data.length;
      return {
        tokenSources: { data: sources, shape: [sources.length] },
        tokenPlaces: { data: places, shape: [places.length] },
        ...(same(labels) ? { ...askedPlan(labels) } : {}),
        ...(bert && same(documents) && positions === undefined ? { positions: placesWithin(documents) } : {}),
      };
    },
    parameters: () => parameters,
    draws: () => ({}),
    config: () => textEncoderConfig(sizes),
    build(values, columns, _draws, signature) {
      const { name, rows, tokens } = idsOf(sizes, signature);
      const { width, vocabulary } = sizes;
      const flat = (): Tensor => outputs.hidden.reshape([rows * tokens, width]);
      const outputs: Readonly<Record<TextEncoderOutput, Tensor>> = lazy<TextEncoderOutput, Tensor>({
        hidden: () => encode(sizes, columns[name] as Tensor, values, columns),
        logits: () => head(sizes, values, flat()).reshape([rows, tokens, vocabulary]),
        askedLogits: () => {
          const { asked, askedSlots } = columns;
          if (asked === undefined || askedSlots === undefined) return outputs.logits.reshape([rows * tokens, vocabulary]);
          return head(sizes, values, gatherOnce(flat(), asked, askedSlots));
        },
        features: () => {
          const exists = existing(columns, tokens);
          return exists === undefined ? outputs.hidden.mean(1) : outputs.hidden.mul(exists.expandDims(2)).sum(1).div(exists.sum(1, true).maximum(1));
        },
      });
      return outputs;
    },
  };
}
