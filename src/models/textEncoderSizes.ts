// What a text encoder's options say, checked, and the same read off the configuration of a folder from Hugging Face.
import { MaskflowError } from '../core/errors.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import type { Column } from '../core/batch.js';

/** A model's folder in memory: config.json and the tensors of model.safetensors (`modelFolder` reads both). */
export interface StoredModel {
  readonly config: Readonly<Record<string, unknown>>;
  readonly weights: ReadonlyMap<string, Column>;
  /** What tells these weights from others, for run.json. */
  readonly fingerprint: string;
}

export interface TextEncoderOptions {
  /**
   * `bert`: Hugging Face's `BertForMaskedLM` to the letter (post-norm, learned positions, segments, GELU). `modern`: LLaMA's
   * block without causal mask (RMS norms, rotary positions, SwiGLU, no biases), as LLaDA and SMDM have it. Default `bert`.
   */
  readonly architecture?: 'bert' | 'modern';
  /** Number of ids; `tokenizer.vocabulary`. Needed unless `from` says it. */
  readonly vocabulary?: number;
  /** Channels; default 128. A multiple of `heads`; of twice as many for `modern` (rotary positions turn pairs). */
  readonly width?: number;
  /** Blocks; default 4. */
  readonly depth?: number;
  /** Attention heads; default 4. */
  readonly heads?: number;
  /** Hidden units of the MLPs; default 4 · width, for `modern` ⅔ of that rounded up to a multiple of 8 (it has three matrices). */
  readonly hidden?: number;
  /** Longest row, the rows of BERT's position table; for `modern`, whose positions have no table, only written down. Default 512. */
  readonly positions?: number;
  /** Kinds of segments that BERT tells apart; default 2. */
  readonly segments?: number;
  /** Added to the variance or mean square in every norm; default 1e-12 for `bert`, 1e-5 for `modern`. */
  readonly normEps?: number;
  /** Base of rotary frequencies; default 10,000. */
  readonly theta?: number;
  /** Whether `modern` reads words and predicts them with one matrix; default true. BERT always does. */
  readonly tied?: boolean;
  /** Reads a column `time` float32 [rows] in [0, 1]; default false: masked diffusion works as well without. */
  readonly time?: boolean;
  /** Ids that are never predicted, the mask's in diffusion: their logits are lowered by 10⁹. Default none. */
  readonly never?: readonly number[];
  /** Standard deviation of first weights; default 0.02. */
  readonly initializerRange?: number;
  /** Starts from these weights, with the sizes of their configuration: continued pre-training. */
  readonly from?: StoredModel;
  /** Weight set that it reads; default `student`. */
  readonly weights?: string;
}

export interface TextEncoderSizes extends Required<Omit<TextEncoderOptions, 'from' | 'weights' | 'never'>> {
  readonly never: readonly number[];
}

const known = [
  'architecture',
  'vocabulary',
  'width',
  'depth',
  'heads',
  'hidden',
  'positions',
  'segments',
  'normEps',
  'theta',
  'tied',
  'time',
  'never',
  'initializerRange',
  'from',
  'weights',
] as const;

/** The options that a configuration of Hugging Face's `BertConfig`, or of ours for `modern`, amounts to. */
export function optionsOfConfig(config: Readonly<Record<string, unknown>>): TextEncoderOptions {
  const refuse = (key: string, rule: string): never => {
    throw new MaskflowError({ stage: 'textEncoder', option: 'from', rule: `${key} in its config.json ${rule}`, value: config[key] });
  };
  const only = (key: string, ...values: unknown[]): void => {
    if (config[key] !== undefined && config[key] !== null && !values.includes(config[key])) refuse(key, `must be ${values.map(String).join(' or ')}`);
  };
  const common = {
    vocabulary: config.vocab_size as number,
    width: config.hidden_size as number,
    depth: config.num_hidden_layers as number,
    heads: config.num_attention_heads as number,
    hidden: config.intermediate_size as number,
    ...(config.max_position_embeddings === undefined ? {} : { positions: config.max_position_embeddings as number }),
    ...(config.initializer_range === undefined ? {} : { initializerRange: config.initializer_range as number }),
  };
  if (config.model_type === 'bert') {
    only('hidden_act', 'gelu');
    only('position_embedding_type', 'absolute');
    only('is_decoder', false);
    only('tie_word_embeddings', true);
    return {
      architecture: 'bert',
      ...common,
      segments: (config.type_vocab_size as number | undefined) ?? 2,
      normEps: (config.layer_norm_eps as number | undefined) ?? 1e-12,
    };
  }
  if (config.model_type !== 'llama') refuse('model_type', "must be 'bert' (BertForMaskedLM) or 'llama' (a modern encoder of ours)");
  only('hidden_act', 'silu');
  only('attention_bias', false);
  only('mlp_bias', false);
  only('num_key_value_heads', config.num_attention_heads);
  only('rope_scaling', null);
  const rope = (config.rope_parameters ?? {}) as { readonly rope_theta?: number; readonly rope_type?: string };
  if (rope.rope_type !== undefined && rope.rope_type !== 'default') refuse('rope_parameters', 'must be of the default type');
  return {
    architecture: 'modern',
    ...common,
    normEps: (config.rms_norm_eps as number | undefined) ?? 1e-6,
    theta: (config.rope_theta as number | undefined) ?? rope.rope_theta ?? 10_000,
    tied: config.tie_word_embeddings === true,
    time: config.time_input === true,
  };
}

/** Options with their defaults; what `from` says comes first, and an option that contradicts it is refused. */
export function textEncoderSizes(given: TextEncoderOptions): TextEncoderSizes {
  checkOptions('textEncoder', given, known);
  const stored = given.from === undefined ? {} : optionsOfConfig(given.from.config);
  for (const [name, value] of Object.entries(stored) as [keyof TextEncoderOptions, unknown][]) {
    const asked = given[name];
    // A time input may be new: its layers start from first values.
    if (asked === undefined || asked === value || name === 'initializerRange' || name === 'time') continue;
    throw new MaskflowError({
      stage: 'textEncoder',
      option: name,
      rule: `must be that of the weights it starts from, ${String(value)}`,
      value: asked,
      hint: `Leave ${name} out.`,
    });
  }
  const options = { ...stored, ...given };
  const { architecture = 'bert', vocabulary, width = 128, depth = 4, heads = 4, positions = 512, segments = 2, theta = 10_000, time = false } = options;
  const { never = [], initializerRange = 0.02 } = options;
  check(architecture === 'bert' || architecture === 'modern', 'textEncoder', 'architecture', "must be 'bert' or 'modern'", architecture);
  const modern = architecture === 'modern';
  const { hidden = modern ? Math.ceil((8 * width) / 24) * 8 : 4 * width, normEps = modern ? 1e-5 : 1e-12, tied = true } = options;
  check(
    Number.isInteger(vocabulary) && (vocabulary as number) > 0,
    'textEncoder',
    'vocabulary',
    'must be the number of ids',
    vocabulary,
    'Write textEncoder({ vocabulary: words.vocabulary }).',
  );
  for (const [name, value] of Object.entries({ width, depth, heads, hidden, positions, segments }))
    checkInteger('textEncoder', name, value, name === 'depth' ? 0 : 1);
  const unit = modern ? 2 * heads : heads;
  check(
    width % unit === 0,
    'textEncoder',
    'width',
    `must be a multiple of ${unit}${modern ? ', twice the heads' : ' heads'}`,
    width,
    `Try ${Math.ceil(width / unit) * unit}.`,
  );
  check(!time || width % 2 === 0, 'textEncoder', 'width', 'must be even with a time input', width);
  for (const [name, value] of Object.entries({ normEps, theta, initializerRange }))
    check(Number.isFinite(value) && value > 0, 'textEncoder', name, 'must be a positive number', value);
  check(modern || tied, 'textEncoder', 'tied', "can be false only with architecture: 'modern'", tied);
  const odd = never.find((id) => !Number.isInteger(id) || id < 0 || id >= (vocabulary as number));
  check(odd === undefined, 'textEncoder', 'never', `must hold ids below the vocabulary of ${vocabulary}`, odd);
  check(never.length < (vocabulary as number), 'textEncoder', 'never', 'must leave at least one id', never);
  return {
    architecture,
    vocabulary: vocabulary as number,
    width,
    depth,
    heads,
    hidden,
    positions,
    segments,
    normEps,
    theta,
    tied,
    time,
    never,
    initializerRange,
  };
}
