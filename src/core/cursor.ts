// What a run has finished with, per source: the exact place to go on from. Settled = used in a finished step, or
// reported dropped. A drop is attached to the item that follows it through the same stage and settles with it, so that
// the cursor after step k is the same however far ahead the stages have read.
import type { Origin } from './batch.js';
import { Ranges, type Range } from './ranges.js';

/** Readable form: positions below `next` are settled but for the `open` ranges. */
export interface CursorState {
  readonly sources: readonly { readonly next: number; readonly open: readonly Range[] }[];
}

export class Cursor {
  readonly #sources: Ranges[];
  readonly #attached = new WeakMap<Origin, readonly Origin[]>();

  constructor(state: CursorState = { sources: [] }) {
    this.#sources = state.sources.map(({ next, open }) => {
      const settled = new Ranges();
      let from = 0;
      for (const [start, end] of open) {
        settled.add(from, start);
        from = end;
      }
      settled.add(from, next);
      return settled;
    });
  }

  /** Settled positions of one source. */
  settled(source: number): Ranges {
    while (this.#sources.length <= source) this.#sources.push(new Ranges());
    return this.#sources[source] as Ranges;
  }

  /** `dropped` settle when `carrier` does. */
  attach(carrier: Origin, dropped: readonly Origin[]): void {
    if (dropped.length === 0) return;
    this.#attached.set(carrier, [...(this.#attached.get(carrier) ?? []), ...dropped]);
  }

  settle(origins: readonly Origin[]): void {
    const open = [...origins];
    for (let origin = open.pop(); origin !== undefined; origin = open.pop()) {
      this.settled(origin.source).add(origin.position);
      const dropped = this.#attached.get(origin);
      if (dropped === undefined) continue;
      this.#attached.delete(origin);
      open.push(...dropped);
    }
  }

  toJSON(): CursorState {
    return {
      sources: this.#sources.map((settled) => {
        const ranges = settled.toJSON();
        const open: Range[] = [];
        let from = 0;
        for (const [start, end] of ranges) {
          if (start > from) open.push([from, start]);
          from = end;
        }
        return { next: from, open };
      }),
    };
  }
}
