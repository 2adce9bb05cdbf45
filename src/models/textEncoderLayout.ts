// What a text encoder is made of: parameters with Hugging Face's names and first values, and its config.json.
import { MaskflowError } from '../core/errors.js';
import type { Initializer, Parameters } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import { normal } from './initializers/normal.js';
import { zeros } from './initializers/zeros.js';
import { bertBlockParameters } from './layers/bertBlock.js';
import { layerNormParameters } from './layers/layerNorm.js';
import { linearParameters } from './layers/linear.js';
import { llamaBlockParameters } from './layers/llamaBlock.js';
import { rmsNormParameters } from './layers/rmsNorm.js';
import { timeEmbeddingParameters } from './layers/timeEmbedding.js';
import type { StoredModel, TextEncoderSizes } from './textEncoderSizes.js';

/** The table of words: read by the embedding and, where tied, by the head. */
export const wordTable = ({ architecture }: Pick<TextEncoderSizes, 'architecture'>): string =>
  architecture === 'bert' ? 'bert.embeddings.word_embeddings.weight' : 'model.embed_tokens.weight';

/** Layers of the time input, beside the reference's own. */
export const timePrefix = 'time_embed';

/**
 * Shapes and first values, named as in the state dicts of `BertForMaskedLM` and `LlamaForCausalLM`: N(0, initializerRange²) for
 * weights and tables, zeros for biases, ones for the scales of norms.
 */
export function textEncoderParameters(sizes: TextEncoderSizes): Parameters {
  const { architecture, vocabulary, width, depth, hidden, positions, segments, tied, time, initializerRange } = sizes;
  const init = normal({ std: initializerRange });
  const blocks = (make: (i: number) => Parameters): Parameters => Object.assign({}, ...Array.from({ length: depth }, (_, i) => make(i)));
  const words: Parameters = { [wordTable(sizes)]: { shape: [vocabulary, width], init } };
  const timed = time ? timeEmbeddingParameters(timePrefix, { width, init }) : {};
  if (architecture === 'modern') {
    return {
      ...words,
      ...timed,
      ...blocks((i) => llamaBlockParameters(`model.layers.${i}`, { width, hidden, init })),
      ...rmsNormParameters('model.norm', width),
      ...(tied ? {} : { 'lm_head.weight': { shape: [vocabulary, width], init } }),
    };
  }
  return {
    ...words,
    'bert.embeddings.position_embeddings.weight': { shape: [positions, width], init },
    'bert.embeddings.token_type_embeddings.weight': { shape: [segments, width], init },
    ...layerNormParameters('bert.embeddings.LayerNorm', width),
    ...timed,
    ...blocks((i) => bertBlockParameters(`bert.encoder.layer.${i}`, { width, hidden, init })),
    ...linearParameters('cls.predictions.transform.dense', { inputs: width, outputs: width, init }),
    ...layerNormParameters('cls.predictions.transform.LayerNorm', width),
    'cls.predictions.bias': { shape: [vocabulary], init: zeros() },
  };
}

/**
 * Parameters that start from stored tensors instead. Old names (gamma and beta of norms) are read; what a masked language model
 * does not have (pooler, next-sentence head, copies of tied tensors) is passed over. Layers of a time input may be missing.
 *
 * @throws MaskflowError for a tensor that is missing or has another shape.
 */
export function startingFrom(parameters: Parameters, { weights, fingerprint }: StoredModel): Parameters {
  const modern = new Map(
    [...weights].map(([name, column]) => [name.replace(/LayerNorm\.gamma$/, 'LayerNorm.weight').replace(/LayerNorm\.beta$/, 'LayerNorm.bias'), column]),
  );
  const made = Object.entries(parameters).map(([name, parameter]): [string, Parameters[string]] => {
    const column =
      modern.get(name) ?? (name === 'cls.predictions.bias' ? modern.get('cls.predictions.decoder.bias') : undefined) ?? withoutPrefix(modern, name);
    if (column === undefined) {
      if (name.startsWith(`${timePrefix}.`)) return [name, parameter];
      throw new MaskflowError({
        stage: 'textEncoder',
        option: 'from',
        rule: `the stored model has no tensor ${name}`,
        hint: 'Its folder must be that of a BertForMaskedLM, or a checkpoint of ours.',
      });
    }
    if (column.shape.join() !== parameter.shape.join())
      throw new MaskflowError({
        stage: 'textEncoder',
        option: 'from',
        rule: `the stored tensor ${name} must have shape [${parameter.shape.join(', ')}]`,
        value: `[${column.shape.join(', ')}]`,
      });
    const init: Initializer = { recipe: recipe('maskflow/models', 'stored', { fingerprint, name }), values: () => Float32Array.from(column.data) };
    return [name, { ...parameter, init }];
  });
  return Object.fromEntries(made);
}

/** A bare encoder (`BertModel`) is stored without `bert.`; its head is then missing, which is said. */
const withoutPrefix = (weights: StoredModel['weights'], name: string): ReturnType<StoredModel['weights']['get']> =>
  name.startsWith('bert.') ? weights.get(name.slice('bert.'.length)) : undefined;

/**
 * The `BertConfig` or `LlamaConfig` of a model. Hugging Face's Llama is causal: there the modern encoder's logits come with
 * an attention mask [rows, 1, L, L] that hides nothing, which the key `bidirectional` reminds of. With a time input there is no
 * such class, and `architectures` is left out.
 */
export function textEncoderConfig(sizes: TextEncoderSizes): Readonly<Record<string, unknown>> {
  const { architecture, vocabulary, width, depth, heads, hidden, positions, segments, normEps, theta, tied, time, initializerRange } = sizes;
  const common = {
    vocab_size: vocabulary,
    hidden_size: width,
    num_hidden_layers: depth,
    num_attention_heads: heads,
    intermediate_size: hidden,
    max_position_embeddings: positions,
    initializer_range: initializerRange,
    ...(time ? { time_input: true } : {}),
  };
  if (architecture === 'modern') {
    return {
      ...(time ? {} : { architectures: ['LlamaForCausalLM'] }),
      model_type: 'llama',
      bidirectional: true,
      ...common,
      num_key_value_heads: heads,
      hidden_act: 'silu',
      rms_norm_eps: normEps,
      rope_theta: theta,
      rope_parameters: { rope_type: 'default', rope_theta: theta },
      attention_bias: false,
      mlp_bias: false,
      tie_word_embeddings: tied,
      bos_token_id: null,
      eos_token_id: null,
    };
  }
  return {
    ...(time ? {} : { architectures: ['BertForMaskedLM'] }),
    model_type: 'bert',
    ...common,
    type_vocab_size: segments,
    hidden_act: 'gelu',
    layer_norm_eps: normEps,
    hidden_dropout_prob: 0,
    attention_probs_dropout_prob: 0,
    // The table's row of the padding id is trained like the others, but for padding no gradient comes.
    pad_token_id: null,
    tie_word_embeddings: true,
  };
}
