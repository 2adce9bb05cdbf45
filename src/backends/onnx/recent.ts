/** Values by key, so many of them; the one that has rested longest goes first. */
export class Recent<V> {
  readonly #limit: number;
  readonly #values = new Map<string, V>();
  constructor(limit: number) {
    this.#limit = limit;
  }

  get size(): number {
    return this.#values.size;
  }

  get(key: string): V | undefined {
    const value = this.#values.get(key);
    if (value === undefined) return undefined;
    this.#values.delete(key);
    this.#values.set(key, value);
    return value;
  }

  /** Puts a value in, and answers those that had to go. */
  put(key: string, value: V): readonly V[] {
    this.#values.set(key, value);
    const gone: V[] = [];
    for (const [oldest, resting] of this.#values) {
      if (this.#values.size <= this.#limit) break;
      this.#values.delete(oldest);
      gone.push(resting);
    }
    return gone;
  }

  /** The value of a key, made where it is missing. */
  ensure(key: string, make: () => V): V {
    const known = this.get(key);
    if (known !== undefined) return known;
    const made = make();
    this.put(key, made);
    return made;
  }

  /** All of them, which go. */
  clear(): readonly V[] {
    const gone = [...this.#values.values()];
    this.#values.clear();
    return gone;
  }
}
