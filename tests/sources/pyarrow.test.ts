// Files that pyarrow 26 wrote: five rows in two record batches; tensors by the canonical extension type.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Column, Sample } from '../../src/core/batch.js';
import { drain } from '../../src/core/demand/index.js';
import { arrow } from '../../src/sources/arrow.js';

interface Row {
  readonly tokens: Column<Float32Array>;
  readonly mask: Column<Uint8Array>;
  readonly label: number;
  readonly text: string;
  readonly tags: readonly string[];
  readonly kind: string;
}

describe.each(['pyarrow.arrow', 'pyarrow.arrows'])('%s', (name) => {
  it('reads as tensors, numbers, text, lists and decoded dictionaries', async () => {
    const rows: Sample<Row>[] = [];
    await drain(arrow<Row>(fileURLToPath(new URL(name, import.meta.url))), {}, (row) => rows.push(row));
    expect(rows.map(({ fields: { label, text, tags, kind } }) => [label, text, tags, kind])).toEqual([
      [0, 'a', ['x', 'y'], 'p'],
      [1, 'bc', [], 'q'],
      [2, '', ['z'], 'p'],
      [3, 'd€', ['x'], 'p'],
      [4, 'e', ['y'], 'q'],
    ]);
    for (const [i, { fields }] of rows.entries()) {
      expect(fields.tokens.shape).toEqual([2, 3]);
      expect([...fields.tokens.data]).toEqual(Array.from({ length: 6 }, (_, j) => (6 * i + j) / 4));
      expect(fields.mask.shape).toEqual([2, 2]);
      expect([...fields.mask.data]).toEqual(Array.from({ length: 4 }, (_, j) => (4 * i + j) % 2));
    }
  });
});
