// What programs and optimisers say of themselves, remembered: it is the same every time, and asking costs a small step a
// tenth of its time. And numbers for them, as parts of the keys under which compiled work is kept.
import type { AnyBatch } from '../../core/batch.js';
import { type Optimizer, type Parameters, type Program, signatureOf } from '../../core/program.js';
import { type Declaration, type ProgramInputs, declarationOf, inputsOf } from '../inputsOf.js';
import { signatureKey } from '../signatureKey.js';
import { slotsOf } from '../updatedBy.js';
import type { Values, WeightValue } from '../weightSets.js';
import { Recent } from './recent.js';

export class Declarations {
  readonly #seed: number;
  readonly #programs: Recent<Declaration>;
  readonly #slots: Recent<Parameters>;
  readonly #numbers = new WeakMap<object, number>();
  #numbered = 0;

  /** @param limit how many are kept of each */
  constructor(seed: number, limit: number) {
    this.#seed = seed;
    this.#programs = new Recent(limit);
    this.#slots = new Recent(limit);
  }

  /** A key part that stands for an object: programs and optimisers are the same where they are the same object. */
  number(object: object): number {
    const known = this.#numbers.get(object);
    if (known !== undefined) return known;
    this.#numbers.set(object, this.#numbered);
    return this.#numbered++;
  }

  /** What a program reads of a batch, and the key of its signature. */
  inputs(program: Program, batch: AnyBatch): { readonly key: string; readonly inputs: ProgramInputs } {
    const signature = signatureOf(batch);
    const key = `${this.number(program)} ${signatureKey(signature)}`;
    const declaration = this.#programs.ensure(key, () => declarationOf(program, signature));
    return { key, inputs: inputsOf(program, batch, this.#seed, declaration) };
  }

  /** The slots that an optimiser keeps for weights; `key` stands for their names and shapes. */
  slots(optimizer: Optimizer, key: string, weights: Values<WeightValue>): Parameters {
    return this.#slots.ensure(`${this.number(optimizer)} ${key}`, () => slotsOf(optimizer, weights));
  }
}
