// A check of the metadata (flatbuffers) of Arrow messages before Arrow JS reads it: every offset, table and vector must
// lie inside of it. Flatbuffers for JavaScript comes without a verifier, and one flipped bit in the length of a vector
// would make the reader allocate until the process dies. Slot numbers: Arrow's format/{Message,Schema,File}.fbs.

const unionType = 14;

class Verifier {
  readonly view: DataView;
  /** Tables that may still be visited: each is referred to by four bytes of its own. */
  left: number;

  constructor(bytes: Uint8Array) {
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.left = bytes.byteLength / 4;
  }

  within(at: number, length: number): number {
    if (at < 0 || at + length > this.view.byteLength) throw new Error('an offset that leads outside of its metadata');
    return at;
  }

  /** Where the offset at `at` leads. */
  follow(at: number): number {
    return this.within(at + this.view.getUint32(this.within(at, 4), true), 4);
  }

  root(): Table {
    return new Table(this, this.follow(0));
  }
}

class Table {
  readonly #of: Verifier;
  readonly #at: number;
  readonly #slots: number;
  readonly #size: number;

  constructor(of: Verifier, at: number) {
    if (--of.left < 0) throw new Error('tables that refer to each other');
    this.#of = of;
    this.#at = at;
    this.#slots = of.within(at - of.view.getInt32(of.within(at, 4), true), 4);
    this.#size = of.view.getUint16(this.#slots, true);
    of.within(this.#slots, this.#size);
  }

  /** Position of a slot's value of `width` bytes; undefined where it is not set. */
  slot(index: number, width: number): number | undefined {
    const entry = 4 + 2 * index;
    if (entry + 2 > this.#size) return undefined;
    const offset = this.#of.view.getUint16(this.#slots + entry, true);
    return offset === 0 ? undefined : this.#of.within(this.#at + offset, width);
  }

  byte(index: number): number {
    const at = this.slot(index, 1);
    return at === undefined ? 0 : this.#of.view.getUint8(at);
  }

  table(index: number): Table | undefined {
    const at = this.slot(index, 4);
    return at === undefined ? undefined : new Table(this.#of, this.#of.follow(at));
  }

  /** Start and length of a vector of elements of `width` bytes (a string: 1). */
  vector(index: number, width: number): { start: number; length: number } {
    const at = this.slot(index, 4);
    if (at === undefined) return { start: 0, length: 0 };
    const start = this.#of.follow(at);
    const length = this.#of.view.getUint32(start, true);
    this.#of.within(start + 4, length * width);
    return { start: start + 4, length };
  }

  *tables(index: number): Generator<Table> {
    const { start, length } = this.vector(index, 4);
    for (let i = 0; i < length; i++) yield new Table(this.#of, this.#of.follow(start + 4 * i));
  }
}

function keyValues(table: Table, index: number): void {
  for (const pair of table.tables(index)) {
    pair.vector(0, 1);
    pair.vector(1, 1);
  }
}

function field(table: Table): void {
  table.vector(0, 1);
  const type = table.table(3);
  if (table.byte(2) === unionType) type?.vector(1, 4);
  table.table(4)?.table(1);
  for (const child of table.tables(5)) field(child);
  keyValues(table, 6);
}

function schema(table: Table | undefined): void {
  if (table === undefined) return;
  if (table.byte(0) !== 0) throw new Error('big-endian buffers, which are not read');
  for (const one of table.tables(1)) field(one);
  keyValues(table, 2);
  table.vector(3, 8);
}

function recordBatch(table: Table | undefined): void {
  if (table === undefined) throw new Error('no header');
  table.slot(0, 8);
  table.vector(1, 16);
  table.vector(2, 16);
  table.table(3);
  table.vector(4, 8);
}

/** Throws unless the metadata of a message can be read safely. */
export function verifyMessage(bytes: Uint8Array): void {
  const message = new Verifier(bytes).root();
  message.slot(3, 8);
  keyValues(message, 4);
  const kind = message.byte(1);
  if (kind === 1) schema(message.table(2));
  else if (kind === 2) recordBatch(message.table(2)?.table(1));
  else if (kind === 3) recordBatch(message.table(2));
}

/** Throws unless a file's footer can be read safely. */
export function verifyFooter(bytes: Uint8Array): void {
  const footer = new Verifier(bytes).root();
  schema(footer.table(1));
  footer.vector(2, 24);
  footer.vector(3, 24);
  keyValues(footer, 4);
}
