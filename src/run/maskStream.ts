// Arrow in, the same columns plus `mask` out: what `maskflow mask` does, for programs. One record batch is in memory at a
// time and order is kept. The columns that came in leave as they came, over the same memory: their types, their metadata
// and that of the schema (class names, index columns of others) with them.
import { type Field, RecordBatch, Schema, Struct, makeData } from 'apache-arrow';
import { gridKey, toRecordBatch } from '../core/arrow/index.js';
import { MaskflowError, inStage } from '../core/errors.js';
import type { Mask } from '../operators/masks/index.js';
import type { Target } from '../sinks/arrow/target.js';
import { FileWriter, StreamWriter } from '../sinks/arrow/writers.js';
import type { OpenArrow } from './openArrow.js';
import { type MaskerOptions, type Masks, recordBatchMasker } from './recordBatchMasker.js';

export interface MaskStreamOutput {
  /** `file`: the IPC file format, `stream`: the IPC stream. */
  readonly format: 'file' | 'stream';
  /** Called once the input is known to fit: nothing is created for an input that does not. */
  open(): Promise<Target>;
}

export interface MaskStreamReport {
  readonly rows: number;
  /** Tokens that exist, and how many of them are hidden. */
  readonly tokens: number;
  readonly hidden: number;
  /** hidden / tokens; 0 where there are none. */
  readonly ratio: number;
}

/** Throws where the data has a mask already. */
function checkUnmasked(schema: Schema): void {
  if (schema.fields.some(({ name }) => name === 'mask')) {
    throw new MaskflowError({
      stage: 'maskflow',
      option: 'in',
      rule: 'the data has a column mask already, and what came in is never replaced',
      hint: 'Mask the data as it was before, or drop the column first, in Python: table.drop_columns(["mask"]).',
    });
  }
}

/** The schema of the output: that of the input, the column `mask`, and the grid where all rows have one. */
export function maskedSchema(schema: Schema, field: Field, grid: readonly number[] | undefined): Schema {
  const metadata = grid === undefined ? schema.metadata : new Map([...schema.metadata, [gridKey, JSON.stringify(grid)]]);
  return new Schema([...schema.fields, field], metadata);
}

/** The record batch with its masks as one more column; `schema` is that of `maskedSchema`. */
export function withMask(recordBatch: RecordBatch, { mask, rows }: Masks, schema: Schema): RecordBatch {
  const field = schema.fields.at(-1) as Field;
  const column = 'data' in mask ? mask : { rows, values: mask };
  const made = toRecordBatch({ rows, columns: { mask: column }, origins: [], program: undefined }, { schema: new Schema([field]) });
  const children = [...recordBatch.data.children, ...made.data.children];
  return new RecordBatch(schema, makeData({ type: new Struct(schema.fields), length: rows, nullCount: 0, children }));
}

/**
 * Reads Arrow data, hides tokens by `rule`, writes the same columns and `mask` (uint8, 1 = hidden). Both ends are closed
 * at the end, whatever it is; a file that was begun is removed on an error.
 *
 * @param options the layout of the tokens (see `maskLayout`) and the seed
 * @throws MaskflowError for data that cannot be read, has a column `mask` already, or does not fit the layout; where the
 * reader of a pipe goes away, one whose cause has the code EPIPE
 *
 * @example
 * await maskStream(await openArrow('in.arrow', process.stdin), random(), { format: 'file', open: () => fileTarget('out.arrow') }, { grid: [14, 14] });
 */
export async function maskStream(input: OpenArrow, rule: Mask, output: MaskStreamOutput, options: MaskerOptions = {}): Promise<MaskStreamReport> {
  let target: Target | undefined;
  let masker: ReturnType<typeof recordBatchMasker> | undefined;
  try {
    checkUnmasked(input.schema);
    masker = recordBatchMasker(input.schema, rule, options);
    const schema = maskedSchema(input.schema, masker.layout.field, masker.layout.grid);
    const encode = encoder(output.format);
    target = await output.open();
    await target.write(encode.begin(schema));
    let [rows, tokens, hidden] = [0, 0, 0];
    for await (const recordBatch of input.batches) {
      const masks = masker.masks(recordBatch);
      await target.write(encode.add(withMask(recordBatch, masks, schema)));
      rows += masks.rows;
      tokens += masks.tokens;
      hidden += masks.hidden;
    }
    await target.write(encode.end());
    await target.finish();
    return { rows, tokens, hidden, ratio: tokens === 0 ? 0 : hidden / tokens };
  } catch (error) {
    await target?.abort();
    throw inStage('maskflow mask', error);
  } finally {
    masker?.close();
    await input.close();
  }
}

interface Encoder {
  begin(schema: Schema): Uint8Array[];
  add(recordBatch: RecordBatch): Uint8Array[];
  end(): Uint8Array[];
}

/** Record batches to bytes, as views of the columns: they are to be written before the next one comes. */
function encoder(format: 'file' | 'stream'): Encoder {
  const writer = format === 'file' ? new FileWriter() : new StreamWriter();
  const taken = (): Uint8Array[] => {
    const { parts } = writer;
    writer.parts = [];
    return parts;
  };
  return {
    begin(schema) {
      // The schema at once: whoever reads a pipe knows the columns before the first row, and without any.
      writer.reset(undefined, schema);
      return taken();
    },
    add(recordBatch) {
      try {
        writer.write(recordBatch);
      } catch (error) {
        if (!/replacement dictionaries/u.test((error as Error).message)) throw error;
        throw new MaskflowError({
          rule: 'a column of dictionary type has another dictionary than in the first record batch, which the file format cannot hold',
          cause: error,
          hint: 'Write a stream instead: --out NAME.arrows.',
        });
      }
      return taken();
    },
    end() {
      writer.finish();
      return taken();
    },
  };
}
