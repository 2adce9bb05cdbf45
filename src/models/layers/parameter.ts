import { MaskflowError } from '../../core/errors.js';
import { nearest } from '../../core/nearest.js';
import type { Tensor, Tensors } from '../../core/program.js';

/** The tensor of a named parameter; where it is missing, an error that names the nearest one. */
export function parameter(parameters: Tensors, name: string): Tensor {
  const tensor = parameters[name];
  if (tensor !== undefined) return tensor;
  const near = nearest(name, Object.keys(parameters));
  throw new MaskflowError({
    rule: `there is no parameter ${name}`,
    hint: `${near === undefined ? '' : `The nearest one is ${near}. `}Was the weight set made for another model?`,
  });
}
