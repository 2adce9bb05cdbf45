// What a text column holds in one row or sample, checked: text, or a list of words.
import { MaskflowError } from '../../core/errors.js';
import { nearest } from '../../core/nearest.js';
import type { TextOrWords } from '../views/tokenizer.js';

/** `value` as a text; `where` names the sample. */
export function readText(value: unknown, column: string, where: () => string): TextOrWords {
  if (typeof value === 'string') return value;
  if (Array.isArray(value) && value.every((word) => typeof word === 'string')) return value as readonly string[];
  throw new MaskflowError({
    option: 'column',
    rule: `column ${JSON.stringify(column)} must hold text, or lists of words`,
    value,
    where: where(),
    ...(value === null ? { hint: 'Leave such samples out in front: keep(({ fields }) => fields.text !== null).' } : {}),
  });
}

/** The error for a column that is not there. */
export function missingColumn(column: string, names: readonly string[]): MaskflowError {
  const near = nearest(column, names);
  return new MaskflowError({
    option: 'column',
    rule: `there is no column ${JSON.stringify(column)}`,
    value: names,
    hint: near === undefined ? 'Name the column of the text: { column: … }.' : `Did you mean ${JSON.stringify(near)}?`,
  });
}

/** Throws where a column that a stage adds is there already. */
export function checkFree(added: readonly string[], names: readonly string[]): void {
  const taken = added.find((name) => names.includes(name));
  if (taken === undefined) return;
  throw new MaskflowError({
    option: taken,
    rule: `there is a column ${JSON.stringify(taken)} already, and no stage replaces a column that is not its own`,
    value: names,
    hint: `Rename it, or leave it out, behind the source: map(({ fields: { ${taken}: ${taken}Given, ...rest }, origin }) => ({ fields: { ...rest, ${taken}Given }, origin })).`,
  });
}
