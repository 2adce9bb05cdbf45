/**
 * A decision as data: `module` exports `name`, a factory or pure function that takes `options`.
 * Every operator of ours carries one; workers load it, `describe` draws it, run.json keeps it.
 * `options` holds plain JSON values and nested recipes only.
 */
export interface Recipe {
  readonly module: string;
  readonly name: string;
  readonly options: Readonly<Record<string, unknown>>;
}

/** Shorthand: `recipe('maskflow/operators', 'random', { ratio })`. */
export function recipe(module: string, name: string, options: object = {}): Recipe {
  return { module, name, options: options as Readonly<Record<string, unknown>> };
}
