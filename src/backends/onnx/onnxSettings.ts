import { MaskflowError } from '../../core/errors.js';
import type { OnnxExecutorOptions } from './onnxExecutor.js';
import { type Provider, providerNames } from './providers.js';

/** What a user may set of the engine. */
export type OnnxSettings = Pick<OnnxExecutorOptions, 'provider' | 'threads' | 'sessions' | 'spinning' | 'graphs' | 'profile' | 'fallback'>;

/**
 * Settings from environment variables; one that is absent or empty keeps its default.
 *
 * @throws MaskflowError that names the variable, its rule and what it holds
 * @example
 * onnxSettings({ MASKFLOW_ONNX_THREADS: '4' }); // { threads: 4 }
 */
export function onnxSettings(environment: Readonly<Record<string, string | undefined>>): OnnxSettings {
  const integer = (name: string): number | undefined =>
    read(environment, name, 'must be an integer of at least 1', (text) => (/^[1-9]\d*$/.test(text) ? Number(text) : undefined));
  const settings: Record<keyof OnnxSettings, unknown> = {
    provider: read(environment, 'MASKFLOW_ONNX_PROVIDER', `must be ${providerNames.join(', ').replace(/, (\w+)$/, ' or $1')}`, (text) =>
      providerNames.includes(text as Provider) ? (text as Provider) : undefined,
    ),
    threads: integer('MASKFLOW_ONNX_THREADS'),
    sessions: integer('MASKFLOW_ONNX_SESSIONS'),
    spinning: read(environment, 'MASKFLOW_ONNX_SPINNING', 'must be on or off', (text) => (text === 'on' ? true : text === 'off' ? false : undefined)),
    graphs: environment.MASKFLOW_ONNX_GRAPHS || undefined,
    profile: environment.MASKFLOW_ONNX_PROFILE || undefined,
    fallback: read(environment, 'MASKFLOW_ONNX_FALLBACK', 'must be wasm or cpu', (text) => (text === 'wasm' || text === 'cpu' ? text : undefined)),
  };
  return Object.fromEntries(Object.entries(settings).filter(([, value]) => value !== undefined)) as OnnxSettings;
}

function read<T>(environment: Readonly<Record<string, string | undefined>>, name: string, rule: string, parse: (text: string) => T | undefined): T | undefined {
  const text = environment[name];
  if (text === undefined || text === '') return undefined;
  const value = parse(text);
  if (value === undefined) throw new MaskflowError({ stage: 'backend', option: name, rule, value: text });
  return value;
}
