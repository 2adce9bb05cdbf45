// What the compiler must know of a chain, and what it must refuse. Nothing here runs: `tsc` over the tests is the test.
// A line that should be an error and is not makes `@ts-expect-error` itself an error.
import { type Observable, type OperatorFunction, concat, filter, groupBy, map, merge, mergeMap, of, partition, scan, share, take, tap, zip } from 'rxjs';
import type { Batch, Carried, Column, Sample } from '../../src/core/batch.js';
import { pipeline } from '../../src/core/pipeline.js';
import type { LossTerm, Program } from '../../src/core/program.js';
import type { Stepped } from '../../src/core/run.js';
import { patchReconstruction } from '../../src/losses/index.js';
import { vitMae } from '../../src/models/index.js';
import { batch, epochs, keep, loss, mapBounded, mask, mergeMapBounded, model, patchify, random, shuffle, zipBounded } from '../../src/operators/index.js';
import { adamw, cosine } from '../../src/optimizers/index.js';
import { arrowFile, checkpoint, metrics, pictures, progress, train } from '../../src/sinks/index.js';
import { arrow, memory } from '../../src/sources/index.js';
import { image } from '../../src/sources/image.js';

/** Compiles only where A and B are the same type. */
type Same<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
const same = <A, B>(_: Same<A, B>): void => {};
type Item<O> = O extends Observable<infer T> ? T : never;

interface Row {
  readonly image: Uint8Array;
  readonly label: number;
  readonly caption: string;
}
const random75 = random({ ratio: 0.75 });
const optimizer = adamw({ learningRate: cosine({ peak: 1e-3, warmup: 10 }) });
/** A loss of features against labels. */
declare const contrast: LossTerm<'features'>;
/** A term over an output that no model here has. */
declare const speech: LossTerm<'waveform'>;

export default pipeline({ epochs: 20, batchSize: 256, color: 'green', flip: false }, ({ epochs: n, batchSize, color, flip, prepared, out }) => {
  // Literal defaults are widened.
  same<typeof color, string>(true);
  same<typeof n, number>(true);
  same<typeof flip, boolean>(true);

  const digits = arrow<Row>(prepared('digits', async () => {})).pipe(
    epochs(n),
    shuffle(),
    keep(({ fields }) => fields.label < 5),
    image({ column: 'image', size: 28, channels: 1 }),
    batch(batchSize),
    patchify(4),
  );

  // Fields become columns by their type, and pass through every stage.
  digits.subscribe(({ columns, program }) => {
    same<typeof columns.tokens, Column<Float32Array>>(true);
    same<typeof columns.image, Column<Float32Array>>(true);
    same<typeof columns.label, Column<Float32Array>>(true);
    same<typeof columns.caption, Carried>(true);
    same<typeof program, undefined>(true);
  });

  // RxJS's own operators keep the types; a stage of ours works behind them.
  const masked = digits.pipe(
    filter((b) => b.rows > 1),
    mask(random75),
    tap(({ columns }) => {
      same<typeof columns.mask, Column<Uint8Array>>(true);
      same<typeof columns.label, Column<Float32Array>>(true);
    }),
    arrowFile(out('masked.arrow')),
    take(1000),
  );

  const trained = masked.pipe(
    model(vitMae({ width: 48, depth: 2, heads: 4, decoder: { width: 32, depth: 1 } })),
    loss(patchReconstruction({ normalize: true })),
    tap((b) => void b.program.build),
    loss(contrast, { weight: 0.1, name: 'contrast' }),
    train(optimizer),
    checkpoint(out('checkpoints')),
    pictures(out('pictures')),
    metrics(out('metrics.jsonl')),
    progress(),
  );
  trained.subscribe(({ report, columns, program }) => {
    same<typeof report.loss, number>(true);
    same<typeof columns.mask, Column<Uint8Array>>(true);
    same<typeof columns.caption, Carried>(true);
    program satisfies Program<'loss'>;
    program satisfies Program<'features'>;
  });

  // groupBy, share + zip, merge, partition, concat, scan: the columns are still there.
  const grouped = digits.pipe(
    groupBy((b) => b.rows),
    mergeMap((group) => group.pipe(mask(random75))),
  );
  const shared = grouped.pipe(share());
  zip(shared.pipe(model(vitMae())), shared).subscribe(([described, plain]) => {
    void described.program.build;
    same<typeof plain.program, undefined>(true);
    same<typeof described.columns.mask, Column<Uint8Array>>(true);
    same<typeof plain.columns.tokens, Column<Float32Array>>(true);
  });
  const [few, many] = partition(shared, (b) => b.rows < 10);
  merge(few, many, concat(shared, of<Item<typeof shared>>()))
    .pipe(scan((sum, b) => sum + b.rows, 0))
    .subscribe((sum) => same<typeof sum, number>(true));

  // Our bounded twins infer like theirs.
  of('a.arrow', 'b.arrow')
    .pipe(
      mergeMapBounded((path) => arrow<Row>(path)),
      batch(32),
    )
    .subscribe(({ columns }) => same<typeof columns.label, Column<Float32Array>>(true));
  zipBounded([arrow<Row>('a'), memory([{ text: 'a' }])]).subscribe(([row, text]) => {
    same<typeof row.fields.label, number>(true);
    same<typeof text.fields.text, string>(true);
  });
  digits
    .pipe(mapBounded(async (b) => ({ ...b, columns: { ...b.columns, score: { data: new Float32Array(49), shape: [1, 49] } } })))
    .subscribe(({ columns }) => void columns.score.data);

  // A hand-made mask column is as good as one of ours.
  digits
    .pipe(
      map((b) => ({ ...b, columns: { ...b.columns, mask: { data: new Uint8Array(49), shape: [1, 49] } } })),
      model(vitMae()),
    )
    .subscribe((b) => void b.columns.label.data);

  // Tensor fields keep their type, padding adds a weight.
  memory([{ ids: { data: Int32Array.of(1), shape: [1] }, ok: true, list: [1] }])
    .pipe(batch(2, { last: 'pad' }))
    .subscribe(({ columns }) => {
      same<typeof columns.ids, Column<Int32Array<ArrayBuffer>>>(true);
      same<typeof columns.ok, Column<Float32Array>>(true);
      same<typeof columns.list, Carried>(true);
      same<typeof columns.weight, Column<Float32Array>>(true);
    });

  // @ts-expect-error a batch that carries a program cannot be written to Arrow
  masked.pipe(model(vitMae()), arrowFile('y'));
  // @ts-expect-error a loss without a model
  masked.pipe(loss(patchReconstruction()));
  // @ts-expect-error a loss that reads an output which the model does not have
  masked.pipe(model(vitMae()), loss(speech));
  // @ts-expect-error training without a loss
  masked.pipe(model(vitMae()), train(optimizer));
  // @ts-expect-error a checkpoint of something that is not trained
  masked.pipe(model(vitMae()), loss(patchReconstruction()), checkpoint('x'));
  // @ts-expect-error a mask before there are tokens
  arrow<Row>('x').pipe(image({ column: 'image', size: 28, channels: 1 }), batch(2), mask(random75));
  // @ts-expect-error patches of something that is no picture
  arrow<Row>('x').pipe(batch(2), patchify(4));
  // @ts-expect-error a mask in front of batch
  arrow<Row>('x').pipe(mask(random75));
  // @ts-expect-error the misspelt column is refused
  masked.subscribe((b) => b.columns.masc);
  // @ts-expect-error the misspelt field is refused
  arrow<Row>('x').pipe(keep(({ fields }) => fields.labl > 0));
  // @ts-expect-error a misspelt option
  batch<Row>(4, { lst: 'drop' });
  // @ts-expect-error shuffle stands where single samples flow
  digits.pipe(shuffle());
  // @ts-expect-error a mask, not its options
  mask({ ratio: 0.75 });
  return trained;
});

// @ts-expect-error a default is a number, a string or a boolean
pipeline({ sizes: [1, 2] }, () => of(1));

/** Users can write down the types of their parts. */
export const view: OperatorFunction<Sample<Row>, Batch<{ readonly image: Carried; readonly label: Column<Float32Array>; readonly caption: Carried }>> = batch(
  4,
);
export type Finished = Stepped<Batch<{ readonly tokens: Column<Float32Array> }, Program<'loss'>>>;
