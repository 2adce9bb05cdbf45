// The tiny run as a file for the command line, killed by killed.test.ts: samples dropped, groups, batches of 7, on disk.
import {
  adamw,
  arrow,
  arrowFile,
  batch,
  checkpoint,
  type Column,
  cosine,
  drain,
  epochs,
  keep,
  loss,
  mapBounded,
  mask,
  memory,
  metrics,
  model,
  patchReconstruction,
  patchify,
  pipeline,
  random,
  shuffle,
  train,
  vitMae,
} from 'maskflow';
import { groupBy, mergeMap } from 'rxjs';

interface Tiny {
  readonly image: Column<Float32Array>;
  readonly label: number;
}

const images = (length: number): Tiny[] =>
  Array.from({ length }, (_, id) => ({
    image: { data: Float32Array.from({ length: 16 }, (_, i) => Math.sin(id * 1.7 + i * (1 + (id % 3)))), shape: [4, 4, 1] },
    label: id % 2,
  }));

export default pipeline({ epochs: 6, every: 2, pause: 15 }, ({ epochs: n, every, pause, prepared, out }) =>
  arrow<Tiny>(prepared('tiny', (file) => drain(memory(images(60)).pipe(batch(13), arrowFile(file)))))
    .pipe(
      epochs(n),
      shuffle(),
      keep(({ origin }) => (origin.id * 7) % 10 >= 3),
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
      train(adamw({ learningRate: cosine({ peak: 1e-2, warmup: 3 }) }), { clip: 1 }),
      metrics(out('metrics.jsonl')),
      checkpoint(out('checkpoints'), { every, keep: 2 }),
      // A kill needs time to hit something.
      mapBounded(async (step) => {
        await new Promise((resolve) => setTimeout(resolve, pause));
        return step;
      }),
    ),
);
