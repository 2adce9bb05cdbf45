// What an executor computes in one go, as a pure function of named tensors: it can be traced into a graph, or run eagerly.
import type { Column } from '../../core/batch.js';
import { dtypeOf } from '../../core/batch.js';
import type { Spec, Specs, Tensors } from '../../core/program.js';
import type { Recipe } from '../../core/recipe.js';
import type { ProgramInputs } from '../inputsOf.js';

/** Inputs are called `weights/…`, `columns/…`, `draws/…`, `slots/…`, `gradients/…`, `scalars/…`; outputs never like an input. */
export interface Work {
  /** For people: `step-loss-vitMae`; names the file of a saved graph. */
  readonly name: string;
  /** Whose work it is: what an error names. */
  readonly of: Recipe;
  readonly inputs: Specs;
  readonly build: (given: Tensors) => Tensors;
}

/** `{ w: 1 }` → `{ 'weights/w': 1 }`. */
export function prefixed<T>(prefix: string, values: Readonly<Record<string, T>>): Record<string, T> {
  const result: Record<string, T> = {};
  putAll(result, prefix, values, (value) => value);
  return result;
}

/** Names that were made, by prefix: a step names hundreds of tensors, and a new string costs more than a look. */
const made = new Map<string, Map<string, string>>();

/** Calls `visit` with each value, or with those of `names`, and its name under a prefix. */
export function eachUnder<V>(
  prefix: string,
  values: Readonly<Record<string, V>>,
  visit: (value: V, name: string) => void,
  names: readonly string[] = Object.keys(values),
): void {
  let known = made.get(prefix);
  if (known === undefined) {
    known = new Map<string, string>();
    made.set(prefix, known);
  }
  for (const name of names) {
    let full = known.get(name);
    if (full === undefined) {
      full = `${prefix}/${name}`;
      known.set(name, full);
    }
    visit(values[name] as V, full);
  }
}

/** Puts what `of` answers of each value into `into`, under a prefix. */
export function putAll<V, T>(
  into: Record<string, T>,
  prefix: string,
  values: Readonly<Record<string, V>>,
  of: (value: V) => T,
  names?: readonly string[],
): void {
  const put = (value: V, name: string): void => {
    into[name] = of(value);
  };
  eachUnder(prefix, values, put, names);
}

/** Those under a prefix, without it. */
export function under(prefix: string, given: Tensors): Tensors {
  return Object.fromEntries(
    Object.entries(given)
      .filter(([name]) => name.startsWith(`${prefix}/`))
      .map(([name, tensor]) => [name.slice(prefix.length + 1), tensor]),
  );
}

/** What float32 values of these shapes are as inputs. */
export function floats(prefix: string, values: Readonly<Record<string, { readonly shape: readonly number[] }>>): Specs {
  return prefixed(prefix, Object.fromEntries(Object.entries(values).map(([name, { shape }]): [string, Spec] => [name, { shape, dtype: 'float32' }])));
}

/** The inputs of a program: weights, columns and draws. */
export function programSpecs({ parameters, columns, draws }: ProgramInputs): Specs {
  const specs = Object.entries(columns).map(([name, { data, shape }]: [string, Column]): [string, Spec] => [name, { shape, dtype: dtypeOf(data) }]);
  return { ...floats('weights', parameters), ...prefixed('columns', Object.fromEntries(specs)), ...floats('draws', draws) };
}

/** `loss-vitMae`: a recipe and those inside it. */
export function nameOf({ name, options }: Recipe): string {
  const inner = options.of as Recipe | undefined;
  return typeof inner === 'object' && inner !== null && 'module' in inner ? `${name}-${nameOf(inner)}` : name;
}

/** The update's scalars. */
export const scalarSpecs: Specs = { 'scalars/learningRate': { shape: [], dtype: 'float32' }, 'scalars/step': { shape: [], dtype: 'float32' } };
