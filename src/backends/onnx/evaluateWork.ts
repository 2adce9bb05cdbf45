import type { Program } from '../../core/program.js';
import type { ProgramInputs } from '../inputsOf.js';
import { outputOf } from '../outputOf.js';
import { type Work, nameOf, prefixed, programSpecs, under } from './work.js';

/** Some outputs of a program, as `outputs/…`; of a loss the quotient. */
export function evaluateWork(program: Program, inputs: ProgramInputs, outputs: readonly string[]): Work {
  return {
    name: `evaluate-${nameOf(program.recipe)}`,
    of: program.recipe,
    inputs: programSpecs(inputs),
    build(given) {
      const built = program.build(under('weights', given), under('columns', given), under('draws', given), inputs.signature);
      // Clones: an output may be an input.
      return prefixed('outputs', Object.fromEntries(outputs.map((name) => [name, outputOf(built, name).clone()])));
    },
  };
}
