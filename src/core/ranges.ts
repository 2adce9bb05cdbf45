// A set of non-negative integers as sorted, disjoint, non-touching half-open ranges: run-length, mergeable, small.

export type Range = readonly [from: number, to: number];

export class Ranges {
  #ranges: [number, number][];
  constructor(ranges: Iterable<Range> = []) {
    this.#ranges = [];
    for (const [from, to] of ranges) this.add(from, to);
  }

  /** Index of the first range that ends at or after `value`. */
  #find(value: number): number {
    let low = 0;
    let high = this.#ranges.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ranges[middle] as Range)[1] < value) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  add(from: number, to = from + 1): void {
    if (to <= from) return;
    const first = this.#find(from);
    let last = first;
    let start = from;
    let end = to;
    for (; last < this.#ranges.length; last++) {
      const range = this.#ranges[last] as Range;
      if (range[0] > to) break;
      start = Math.min(start, range[0]);
      end = Math.max(end, range[1]);
    }
    this.#ranges.splice(first, last - first, [start, end]);
  }

  has(value: number): boolean {
    const range = this.#ranges[this.#find(value + 1)];
    return range !== undefined && range[0] <= value;
  }

  /** The least integer ≥ `from` that is not in the set. */
  nextOutside(from: number): number {
    const range = this.#ranges[this.#find(from + 1)];
    return range !== undefined && range[0] <= from ? range[1] : from;
  }

  /** One past its greatest integer; 0 where it is empty. */
  get end(): number {
    return this.#ranges.at(-1)?.[1] ?? 0;
  }

  /** How many integers are in it. */
  get size(): number {
    return this.#ranges.reduce((sum, [from, to]) => sum + to - from, 0);
  }

  toJSON(): Range[] {
    return this.#ranges.map(([from, to]) => [from, to]);
  }
}
