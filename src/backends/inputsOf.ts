import { type AnyBatch, type Column, isColumn } from '../core/batch.js';
import { MaskflowError } from '../core/errors.js';
import { type Draw, type Parameters, type Program, type Signature, signatureOf } from '../core/program.js';
import { drawColumns } from './drawColumns.js';

/** What a program says of itself for a signature; the same whenever it is asked. */
export interface Declaration {
  readonly signature: Signature;
  /** Names of columns. */
  readonly inputs: readonly string[];
  readonly parameters: Parameters;
  /** Names of the trainable parameters. */
  readonly trainable: readonly string[];
  readonly draws: Readonly<Record<string, Draw>>;
}

/** What goes into an evaluation of a program beside its weights. */
export interface ProgramInputs {
  readonly signature: Signature;
  readonly parameters: Parameters;
  readonly trainable: readonly string[];
  readonly columns: Readonly<Record<string, Column>>;
  readonly draws: Readonly<Record<string, Column<Float32Array>>>;
}

export function declarationOf(program: Program, signature: Signature): Declaration {
  const parameters = program.parameters(signature);
  return {
    signature,
    inputs: program.inputs(signature),
    parameters,
    trainable: Object.keys(parameters).filter((name) => parameters[name]?.trainable !== false),
    draws: program.draws(signature),
  };
}

/** What a program says of itself for a batch, with the columns and draws that it reads. */
export function inputsOf(program: Program, batch: AnyBatch, seed: number, declaration = declarationOf(program, signatureOf(batch))): ProgramInputs {
  const { signature, inputs, parameters, trainable, draws } = declaration;
  const columns: Record<string, Column> = {};
  for (const name of inputs) {
    const column = batch.columns[name];
    if (!isColumn(column)) {
      const there = Object.keys(signature.columns);
      throw new MaskflowError({
        option: name,
        rule: column === undefined ? 'the batch has no such column' : 'the column holds no numbers',
        hint: `Columns with numbers: ${there.join(', ') || 'none'}.`,
      });
    }
    columns[name] = column;
  }
  return { signature, columns, parameters, trainable, draws: drawColumns(program, draws, seed, batch.origins) };
}

/** The names of the parameters that gradients are asked for. */
export function trainedBy({ trainable }: ProgramInputs): readonly string[] {
  if (trainable.length === 0) throw new MaskflowError({ rule: 'the program has no trainable parameters' });
  return trainable;
}
