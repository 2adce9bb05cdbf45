// Linear-probe accuracy of frozen features: multinomial logistic regression on standardised features, trained by the
// run's own engine.
import type { MonoTypeOperatorFunction } from 'rxjs';
import type { AnyBatch } from '../core/batch.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import type { Run } from '../core/run.js';
import { crossEntropy } from '../losses/crossEntropy.js';
import { linearClassifier } from '../models/linearClassifier.js';
import { withLoss } from '../operators/loss.js';
import { adamw } from '../optimizers/adamw.js';
import { type Evaluated, evaluation } from './evaluation.js';
import type { Features } from './frozenFeatures.js';

export interface LinearProbeOptions extends Evaluated {
  /** Full-batch AdamW steps from zero weights; default 300. */
  readonly steps?: number;
  readonly learningRate?: number;
  readonly weightDecay?: number;
  /** Stage name and figure in result.json; default `linearProbe`. */
  readonly name?: string;
}

/**
 * At the end of a run: test accuracy of a linear classifier on frozen, standardised features, for the trained weights and
 * for untrained ones (`untrained.linearProbe`), in result.json.
 *
 * @example
 * trained.pipe(linearProbe({ model: encoder, train: digits('train'), test: digits('test') }));
 */
export function linearProbe<T>(options: LinearProbeOptions): MonoTypeOperatorFunction<T> {
  checkOptions('linearProbe', options, ['model', 'train', 'test', 'label', 'steps', 'learningRate', 'weightDecay', 'name']);
  const { steps = 300, learningRate = 0.03, weightDecay = 1e-3, name = 'linearProbe' } = options;
  checkInteger('linearProbe', 'steps', steps);
  check(learningRate > 0 && learningRate < Number.POSITIVE_INFINITY, 'linearProbe', 'learningRate', 'must be a positive number', learningRate);
  check(weightDecay >= 0 && weightDecay < Number.POSITIVE_INFINITY, 'linearProbe', 'weightDecay', 'must be a number of at least 0', weightDecay);
  return evaluation('linearProbe', name, { steps, learningRate, weightDecay }, options, (run, train, test) =>
    probeAccuracy(run, train, test, { steps, learningRate, weightDecay }),
  );
}

async function probeAccuracy(
  run: Run,
  train: Features,
  test: Features,
  settings: { steps: number; learningRate: number; weightDecay: number },
): Promise<number> {
  const { executor } = run;
  const classes = train.labels.reduce((most, label) => Math.max(most, label + 1), 2);
  const scale = standardisation(train);
  const program = withLoss(linearClassifier({ width: train.width, classes }), crossEntropy());
  const optimizer = adamw({ learningRate: settings.learningRate, weightDecay: settings.weightDecay });
  const batch = featureBatch(train, scale);
  try {
    for (let step = 1; step <= settings.steps; step++) {
      await executor.step(program, batch, optimizer, { learningRate: settings.learningRate, step }, {});
    }
    const { logits } = await executor.evaluate(program, featureBatch(test, scale), ['logits']);
    let right = 0;
    for (let row = 0; row < test.rows; row++) {
      const scores = logits.data.subarray(row * classes, (row + 1) * classes);
      if (scores.indexOf(Math.max(...scores)) === test.labels[row]) right++;
    }
    return right / test.rows;
  } finally {
    executor.weights.forget('probe');
    executor.weights.forget('probe.optimizer');
  }
}

interface Standardisation {
  readonly mean: Float64Array;
  readonly inverse: Float64Array;
}

function standardisation({ data, rows, width }: Features): Standardisation {
  const mean = new Float64Array(width);
  const square = new Float64Array(width);
  for (let row = 0; row < rows; row++) {
    for (let i = 0; i < width; i++) {
      const value = data[row * width + i] as number;
      mean[i] = (mean[i] as number) + value / rows;
      square[i] = (square[i] as number) + value ** 2 / rows;
    }
  }
  const inverse = mean.map((m, i) => 1 / Math.sqrt(Math.max(1e-12, (square[i] as number) - m ** 2)));
  return { mean, inverse };
}

function featureBatch({ data, rows, width, labels }: Features, { mean, inverse }: Standardisation): AnyBatch {
  const scaled = data.map((value, at) => (value - (mean[at % width] as number)) * (inverse[at % width] as number));
  const origins = Array.from({ length: rows }, (_, id) => ({ source: 0, id, epoch: 0, position: id }));
  return { rows, columns: { features: { data: scaled, shape: [rows, width] }, label: { data: labels, shape: [rows] } }, origins, program: undefined };
}
