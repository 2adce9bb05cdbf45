/**
 * Work that takes turns, in the order in which it was asked for: a step never writes what an evaluation still reads, and
 * what a call sees is what the calls before it left.
 */
export class Turns {
  #last: Promise<unknown> = Promise.resolve();

  /** Runs `work` after all that was asked for before; work that fails does not keep the next from its turn. */
  take<T>(work: () => Promise<T>): Promise<T> {
    const mine = this.#last.then(work, work);
    this.#last = mine;
    // The caller hears of a failure; a rejected #last that nobody follows must not count as unhandled.
    mine.catch(() => undefined);
    return mine;
  }
}
