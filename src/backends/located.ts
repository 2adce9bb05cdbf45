import { type MaskflowError, inStage } from '../core/errors.js';
import type { Recipe } from '../core/recipe.js';

/** Runs `work`; an error names the recipe of the program or optimiser that it came from. */
export function located<T>(of: Recipe, work: () => T): T {
  try {
    return work();
  } catch (error) {
    throw locatedError(of, error);
  }
}

/** `error` as one that names the recipe where it came from, unless it names a place already. */
export function locatedError(of: Recipe, error: unknown): MaskflowError {
  return inStage(of.name, error, `in ${label(of)}`);
}

/** `maskflow/operators loss of maskflow/models vitMae`. */
function label({ module, name, options }: Recipe): string {
  const inner = options.of as Recipe | undefined;
  return `${module} ${name}${typeof inner === 'object' && inner !== null && 'module' in inner ? ` of ${label(inner)}` : ''}`;
}
