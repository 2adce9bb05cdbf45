import { MaskflowError } from '../../core/errors.js';
import type { Tokens } from '../masks/select.js';

/** The row's time, from the column that a mask reads. */
export function timeIn({ columns }: Tokens, name: string): number {
  const time = columns?.time?.[0];
  if (columns?.time?.length === 1 && typeof time === 'number' && time >= 0 && time <= 1) return time;
  throw new MaskflowError({ option: 'time', rule: `${name} reads one time in [0, 1] a row`, value: time, hint: 'Put diffusionTime() in front of mask.' });
}
