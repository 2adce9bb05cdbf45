// The lines of the methods' experiments, as bench/methods/*.ts print them and docs/results.md is made of them.

/** A measured figure. */
export interface FigureLine {
  readonly bench: string;
  readonly kind: 'figure';
  /** What was done: a row of the table. */
  readonly setting: string;
  /** What was measured: a column of the table. */
  readonly quantity: string;
  /** One value a seed; a single one where nothing is drawn. */
  readonly values: readonly number[];
  /** What the method's card gives for it, as it stands there. */
  readonly card?: string | undefined;
  /** Decimals that are shown. Default 3. */
  readonly digits?: number | undefined;
}

/** A claim, and whether it shows. */
export interface EffectLine {
  readonly bench: string;
  readonly kind: 'effect';
  /** What is claimed. */
  readonly effect: string;
  /** When it counts as shown. */
  readonly rule: string;
  /** What decides: one value a seed. */
  readonly values: readonly number[];
  readonly shown: boolean;
  readonly card?: string | undefined;
  readonly digits?: number | undefined;
}

/** What a script says of itself, its last line. */
export interface ScriptLine {
  readonly bench: string;
  readonly kind: 'script';
  readonly about: string;
  readonly card: string;
  readonly seeds: readonly number[];
  readonly sizes: string;
  /** How long it took; worth something only where `quiet`. */
  readonly seconds: number;
  /** Whether the machine did nothing else: said by whoever ran it. */
  readonly quiet: boolean;
  readonly options: readonly string[];
}

/** What `line` adds. */
export interface Machine {
  readonly node: string;
  readonly cpu: string;
  readonly cpus: number;
  readonly date: string;
}

export type ResultLine = (FigureLine | EffectLine | ScriptLine) & Machine;
