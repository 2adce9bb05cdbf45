// Arrow's own writers, giving their bytes batch by batch instead of through a queue.
import { Message, RecordBatchFileWriter, RecordBatchStreamWriter, type Schema } from 'apache-arrow';

type Bytes = ArrayBufferView | ArrayBufferLike;

/** Arrow's writers with their byte queue replaced by a list that is emptied after each batch: its parts are views of the columns. */
export class FileWriter extends RecordBatchFileWriter {
  parts: Uint8Array[] = [];
  /** Arrow's writer leaves the schema out at the beginning, where the format wants it and readers of pipes need it. */
  protected override _writeSchema(schema: Schema): this {
    super._writeSchema(schema);
    return this._writeMessage(Message.from(schema));
  }
  protected override _write(chunk: Bytes): this {
    return keep(this, chunk, this._started, (count) => {
      this._position += count;
    });
  }
}
/** The same for the stream format. */
export class StreamWriter extends RecordBatchStreamWriter {
  parts: Uint8Array[] = [];
  protected override _write(chunk: Bytes): this {
    return keep(this, chunk, this._started, (count) => {
      this._position += count;
    });
  }
}

function keep<W extends { parts: Uint8Array[] }>(writer: W, chunk: Bytes, started: boolean, advance: (count: number) => void): W {
  const bytes = ArrayBuffer.isView(chunk) ? new Uint8Array(chunk.buffer, chunk.byteOffset, chunk.byteLength) : new Uint8Array(chunk);
  if (started && bytes.byteLength > 0) {
    writer.parts.push(bytes);
    advance(bytes.byteLength);
  }
  return writer;
}
