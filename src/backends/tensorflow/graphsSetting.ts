import { MaskflowError } from '../../core/errors.js';

/** The variable that says whether an engine computes with graphs: MASKFLOW_TFJS_NODE_GRAPHS, MASKFLOW_TFJS_NODE_GPU_GRAPHS. */
export const graphsVariable = (engine: string): string => `MASKFLOW_${engine.toUpperCase().replaceAll('-', '_')}_GRAPHS`;

/**
 * What an engine's variable says; undefined where it is absent or empty.
 *
 * @throws MaskflowError where it holds neither on nor off
 * @example
 * graphsSetting('tfjs-node', { MASKFLOW_TFJS_NODE_GRAPHS: 'off' }); // false
 */
export function graphsSetting(engine: string, environment: Readonly<Record<string, string | undefined>>): boolean | undefined {
  const name = graphsVariable(engine);
  const text = environment[name];
  if (text === undefined || text === '') return undefined;
  if (text === 'on' || text === 'off') return text === 'on';
  throw new MaskflowError({ stage: 'backend', option: name, rule: 'must be on or off', value: text });
}
