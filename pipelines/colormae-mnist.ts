// A small masked autoencoder on real handwritten digits, with ColorMAE's masks: `npm start` runs this file.
import {
  type Color,
  adamw,
  arrow,
  batch,
  checkpoint,
  colorNoise,
  cosine,
  epochs,
  image,
  knn,
  linearProbe,
  loss,
  mask,
  metrics,
  model,
  patchReconstruction,
  patchify,
  pictures,
  pipeline,
  progress,
  shuffle,
  tensorboard,
  train,
  vitMae,
} from 'maskflow';
import { type Digit, mnistDigits } from './data/mnistDigits.js';

/** Mean and standard deviation of the training pixels. */
const pixels = { mean: 0.1307, std: 0.3081 };

export default pipeline(
  { epochs: 30, steps: Number.POSITIVE_INFINITY, batchSize: 64, color: 'green', ratio: 0.75, patch: 7 },
  ({ epochs: n, steps, batchSize, color, ratio, patch, prepared, out }) => {
    const view = image({ size: 28, channels: 1, normalize: pixels });
    const digits = arrow<Digit>(prepared('mnist-train', mnistDigits('train'))).pipe(
      epochs(n),
      shuffle(),
      view,
      batch(batchSize, { last: 'drop' }),
      patchify(patch),
    );

    const encoder = vitMae({ width: 48, depth: 2, heads: 4, decoder: { width: 32, depth: 1, heads: 4 } });
    const trained = digits.pipe(
      mask(colorNoise({ color: color as Color, ratio })),
      model(encoder),
      loss(patchReconstruction({ normalize: false })),
      train(adamw({ learningRate: cosine({ peak: 4e-3, warmup: 50 }) }), { clip: 1, steps }),
    );

    const labelled = (split: 'train' | 'test') => arrow<Digit>(prepared(`mnist-${split}`, mnistDigits(split))).pipe(view, batch(250), patchify(patch));
    const data = { train: labelled('train'), test: labelled('test') };
    return trained.pipe(
      checkpoint(out('checkpoints'), { every: 500 }),
      metrics(out('metrics.jsonl')),
      tensorboard(out('.')),
      pictures(out('pictures'), { every: 500, ...pixels }),
      progress(),
      knn({ model: encoder, ...data }),
      linearProbe({ model: encoder, ...data }),
    );
  },
);
