// A tiny run with everything in it that makes resuming hard: 30 % of the samples dropped, groups, batches of 7.
import { join } from 'node:path';
import { filter, groupBy, mergeMap } from 'rxjs';
import type { Column, Sample } from '../../src/core/batch.js';
import { source } from '../../src/core/demand/index.js';
import { pipeline } from '../../src/core/pipeline.js';
import { recipe } from '../../src/core/recipe.js';
import { patchReconstruction } from '../../src/losses/patchReconstruction.js';
import { vitMae } from '../../src/models/vitMae.js';
import { batch } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { keep } from '../../src/operators/keep.js';
import { loss } from '../../src/operators/loss.js';
import { mask } from '../../src/operators/mask.js';
import { random } from '../../src/operators/masks/random.js';
import { model } from '../../src/operators/model.js';
import { shuffle } from '../../src/operators/shuffle.js';
import { patchify } from '../../src/operators/views/patchify.js';
import { adamw } from '../../src/optimizers/adamw.js';
import { cosine } from '../../src/optimizers/cosine.js';
import { checkpoint } from '../../src/sinks/checkpoint.js';
import { metrics } from '../../src/sinks/metrics.js';
import { train } from '../../src/sinks/train.js';

export interface TinyImage {
  readonly image: Column<Float32Array>;
  readonly label: number;
}

/** `length` synthetic 4×4 images; `read` is told of every row that is read. */
export function tinyImages(length: number, read: (id: number) => void = () => {}) {
  return source<TinyImage>(recipe('tests', 'tinyImages', { length }), () => ({
    length,
    fingerprint: `tiny ${length}`,
    at(id) {
      read(id);
      return { image: { data: Float32Array.from({ length: 16 }, (_, i) => Math.sin(id * 1.7 + i * (1 + (id % 3)))), shape: [4, 4, 1] }, label: id % 2 };
    },
    close() {},
  }));
}

/** Drops 30 % of the samples, by a hash of their id. */
const stays = ({ origin }: Sample<TinyImage>): boolean => (origin.id * 7) % 10 >= 3;

/** The pipeline; `drop` says by which operator samples are dropped. */
export function tiny(read: (id: number) => void = () => {}, length = 60) {
  return pipeline({ epochs: 3, steps: Number.POSITIVE_INFINITY, drop: 'keep', every: 2, accumulate: 1 }, ({ epochs: n, steps, drop, every, accumulate, out }) =>
    tinyImages(length, read)
      .pipe(
        epochs(n),
        shuffle(),
        drop === 'keep' ? keep(stays) : filter(stays),
        groupBy(({ fields }) => fields.label),
        mergeMap((group) => group.pipe(batch(7))),
      )
      .pipe(
        patchify(2),
        mask(random({ ratio: 0.5 })),
        model(vitMae({ width: 8, depth: 1, heads: 2, decoder: { width: 8, depth: 1, heads: 2 } })),
        loss(patchReconstruction({ normalize: false })),
      )
      .pipe(
        train(adamw({ learningRate: cosine({ peak: 1e-2, warmup: 3 }) }), { clip: 1, accumulate, steps }),
        checkpoint(out('checkpoints'), { every, keep: 1 }),
        metrics(join(out('.'), 'metrics.jsonl')),
      ),
  );
}
