// Semi-autoregressive blocks (LLaDA, Nie et al. 2025, section 2.4; block diffusion, Arriola et al. 2025): tokens to be generated are
// cut into blocks, and any sampler works on one block after the other. Later blocks are in the network's input, hidden.
import type { Key } from '../../core/key.js';
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import { type Sampler, type UnmaskRow, positionsOf } from './sampler.js';

export interface BlocksOptions {
  /** Tokens a block; the last one may be shorter. Counted over generated tokens, so holes of any place are covered. */
  readonly size: number;
}

interface Memory {
  /** Number of the block, and the step at which it began. */
  readonly block: number;
  readonly began: number;
  /** Time inside the block. */
  readonly time: number;
  readonly inner: unknown;
}

/**
 * Lets `inner` unmask one block after the other, from left to right: its steps and its time are those of each block.
 *
 * @throws MaskflowError for a size below 1, or an inner sampler that is none
 *
 * @example
 * unmask(network, blocks(confidence({ steps: 8 }), { size: 32 }), { start, maskId, vocabulary });
 */
export function blocks(inner: Sampler, options: BlocksOptions): Sampler {
  checkOptions('blocks', options ?? {}, ['size']);
  check(typeof inner?.decide === 'function', 'blocks', 'inner', 'must be a sampler', inner, 'Write blocks(confidence({ steps: 8 }), { size: 32 }).');
  const size = options?.size;
  checkInteger('blocks', 'size', size);
  const within = (row: UnmaskRow): { readonly view: UnmaskRow; readonly memory: Memory } => {
    const generated = positionsOf(row.free);
    const before = row.memory as Memory | undefined;
    let block = 0;
    while (!generated.subarray(block * size, (block + 1) * size).some((i) => row.masked[i] === 1)) block++;
    const memory = before?.block === block ? before : { block, began: row.step, time: 1, inner: undefined };
    const free = new Uint8Array(row.ids.length);
    const masked = new Uint8Array(row.ids.length);
    for (const i of generated.subarray(block * size, (block + 1) * size)) {
      free[i] = 1;
      masked[i] = row.masked[i] as number;
    }
    const view = { ...row, free, masked, step: row.step - memory.began, time: memory.time, memory: memory.inner };
    return { view, memory };
  };
  return {
    recipe: recipe('maskflow/operators', 'blocks', { inner: inner.recipe, size }),
    ask: (row: UnmaskRow, key: Key) => inner.ask(within(row).view, key),
    decide(row, seen, key) {
      const { view, memory } = within(row);
      const decision = inner.decide(view, seen, key);
      return { ...decision, memory: { ...memory, time: decision.time, inner: decision.memory } satisfies Memory };
    },
  };
}
