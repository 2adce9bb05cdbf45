// k-nearest-neighbour accuracy of frozen features: the cheapest honest look at what an encoder has learnt.
import type { MonoTypeOperatorFunction } from 'rxjs';
import { checkInteger, checkOptions } from '../core/options.js';
import type { Program } from '../core/program.js';
import { evaluation } from './evaluation.js';
import type { Features, Labelled } from './frozenFeatures.js';

export interface KnnOptions {
  /** The encoder: a program with `features` [rows, width]. */
  readonly model: Program<'features'>;
  /** Neighbours are looked for in these rows … */
  readonly train: Labelled;
  /** … for each of these. */
  readonly test: Labelled;
  /** Column of class numbers; default `label`. */
  readonly label?: string;
  /** Neighbours that vote; ties go to the nearer class. Default 5. */
  readonly k?: number;
  /** Stage name and figure in result.json; default `knn`. */
  readonly name?: string;
}

/**
 * At the end of a run: accuracy of a k-NN vote by cosine similarity on frozen features, for the trained weights and for
 * untrained ones (`untrained.knn`), in result.json.
 *
 * @example
 * trained.pipe(knn({ model: encoder, train: digits('train'), test: digits('test') }));
 */
export function knn<T>(options: KnnOptions): MonoTypeOperatorFunction<T> {
  checkOptions('knn', options, ['model', 'train', 'test', 'label', 'k', 'name']);
  const { k = 5, name = 'knn' } = options;
  checkInteger('knn', 'k', k);
  return evaluation('knn', name, { k }, options, async (_run, train, test) => knnAccuracy(train, test, k));
}

/** Share of test rows whose k most similar training rows vote for their class. */
export function knnAccuracy(train: Features, test: Features, k: number): number {
  const { width } = train;
  const from = normalised(train);
  const to = normalised(test);
  const count = Math.min(k, train.rows);
  let right = 0;
  const nearest = new Int32Array(count);
  const similar = new Float64Array(count);
  for (let row = 0; row < test.rows; row++) {
    similar.fill(Number.NEGATIVE_INFINITY);
    for (let other = 0; other < train.rows; other++) {
      let sum = 0;
      for (let i = 0, a = row * width, b = other * width; i < width; i++) sum += (to[a + i] as number) * (from[b + i] as number);
      if (sum <= (similar[count - 1] as number)) continue;
      // Insertion keeps the few best in falling order; the earlier row stays ahead on ties.
      let at = count - 1;
      for (; at > 0 && sum > (similar[at - 1] as number); at--) {
        similar[at] = similar[at - 1] as number;
        nearest[at] = nearest[at - 1] as number;
      }
      similar[at] = sum;
      nearest[at] = other;
    }
    if (vote(nearest, train.labels) === test.labels[row]) right++;
  }
  return right / test.rows;
}

/** The class with the most votes; of equal ones that of the nearest neighbour. */
function vote(nearest: Int32Array, labels: Int32Array): number {
  const votes = new Map<number, number>();
  for (const row of nearest) votes.set(labels[row] as number, (votes.get(labels[row] as number) ?? 0) + 1);
  let best = labels[nearest[0] as number] as number;
  for (const [label, n] of votes) if (n > (votes.get(best) as number)) best = label;
  return best;
}

function normalised({ data, rows, width }: Features): Float32Array {
  const result = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    let square = 0;
    for (let i = row * width; i < (row + 1) * width; i++) square += (data[i] as number) ** 2;
    const scale = square === 0 ? 0 : 1 / Math.sqrt(square);
    for (let i = row * width; i < (row + 1) * width; i++) result[i] = (data[i] as number) * scale;
  }
  return result;
}
