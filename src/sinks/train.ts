// The training step: gradients, then update; one engine call where nothing stands between.
import { type Observable, defer, takeUntil, takeWhile, timer } from 'rxjs';
import type { AnyBatch, Origin } from '../core/batch.js';
import { type StageContext, ambient, bounded, nothing, runOf } from '../core/demand/index.js';
import { MaskflowError } from '../core/errors.js';
import { check, checkInteger, checkOptions } from '../core/options.js';
import type { Gradients, Program, StepOutcome, UpdateScalars } from '../core/program.js';
import { recipe } from '../core/recipe.js';
import type { Run, StepReport, Stepped } from '../core/run.js';
import type { TrainStage } from '../operators/stages.js';
import type { OptimizerWithSchedule } from '../optimizers/schedule.js';

export interface TrainOptions {
  /** Clip gradients to this global L2 norm; default: no clipping. */
  readonly clip?: number;
  /** Batches whose gradients make one step; sums and counts add up, so 4 × 64 equals 256. Default 1. */
  readonly accumulate?: number;
  /** Upper bound of steps, counted over resumes; default none. */
  readonly steps?: number;
  /** Stage name; default `train`. */
  readonly name?: string;
}

/**
 * Trains the weight set of the batch's program: one item out per finished step, the batch that completed it with a `report`
 * (step, loss, learning rate, gradient norm, …). A loss or gradient that is not finite stops the run before anything is
 * written; the ids of the samples concerned are saved as `not-finite-step-N.json` in the run's folder.
 *
 * @example
 * described.pipe(train(adamw({ learningRate: cosine({ peak: 1.5e-3, warmup: 200 }) }), { clip: 1 }));
 */
export function train(optimizer: OptimizerWithSchedule, options: TrainOptions = {}): TrainStage {
  checkOptions('train', options, ['clip', 'accumulate', 'steps', 'name']);
  const { clip, accumulate = 1, steps = Number.POSITIVE_INFINITY, name = 'train' } = options;
  checkInteger('train', 'accumulate', accumulate);
  check(
    typeof optimizer?.update === 'function' && optimizer.learningRate !== undefined,
    'train',
    'optimizer',
    'must be an optimiser',
    optimizer,
    'Write train(adamw({ learningRate: 1e-3 })).',
  );
  check(
    steps === Number.POSITIVE_INFINITY || (Number.isInteger(steps) && steps >= 1),
    'train',
    'steps',
    'must be an integer of at least 1 (Infinity = no bound)',
    steps,
  );
  check(clip === undefined || clip > 0, 'train', 'clip', 'must be greater than 0', clip);
  const made = recipe('maskflow/sinks', 'train', { optimizer: optimizer.recipe, ...(clip === undefined ? {} : { clip }), accumulate });
  const operator = bounded<AnyBatch, Stepped<AnyBatch>>(made, { name, per: 'batch', quiet: true }, (context) => {
    const trainer = new Trainer(context, optimizer, steps, accumulate, clip);
    return { work: (batch) => trainer.take(batch), flush: () => trainer.flush(), stop: () => trainer.dispose() };
  });
  return ((source: Observable<AnyBatch>) =>
    defer(() => {
      // The bound counts over resumes: a run that has done its steps already ends as soon as its chain stands.
      const done = (ambient()?.gate.run?.executor.weights.step ?? 0) >= steps;
      const stepped = source.pipe(operator);
      return done ? stepped.pipe(takeUntil(timer(0))) : stepped.pipe(takeWhile(({ report }) => report.step < steps, true));
    })) as unknown as TrainStage;
}

/** The state of one subscription: what is accumulated, and the clock of the reports. */
class Trainer {
  readonly #context: StageContext;
  readonly #run: Run;
  readonly #optimizer: OptimizerWithSchedule;
  readonly #steps: number;
  readonly #accumulate: number;
  readonly #clip: number | undefined;
  #parts: Gradients | undefined;
  #gathered: AnyBatch[] = [];
  #samples = 0;
  #loss: number | undefined;
  #lastStep = performance.now();
  #waited = 0;
  #idleSince = performance.now();

  constructor(context: StageContext, optimizer: OptimizerWithSchedule, steps: number, accumulate: number, clip: number | undefined) {
    this.#context = context;
    this.#run = runOf(context);
    this.#optimizer = optimizer;
    this.#steps = steps;
    this.#accumulate = accumulate;
    this.#clip = clip;
    const restored = this.#run.resumed?.stages[context.place.name];
    if (restored !== undefined) {
      this.#samples = restored.samples as number;
      this.#loss = restored.loss as number;
    }
    this.#run.keep(context.place.name, () => ({ samples: this.#samples, loss: this.#loss }));
    if (this.#loss !== undefined) this.#run.report({ loss: this.#loss });
  }

  async take(batch: AnyBatch): Promise<Stepped<AnyBatch> | typeof nothing> {
    this.#waited += performance.now() - this.#idleSince;
    try {
      this.#gathered.push(batch);
      if (this.#accumulate === 1) return await this.#step(batch);
      const gradients = await this.#run.executor.gradients(programOf(batch), batch);
      this.#parts = this.#parts === undefined ? gradients : this.#parts.add(gradients);
      return this.#gathered.length < this.#accumulate ? nothing : await this.#step(batch);
    } finally {
      this.#idleSince = performance.now();
    }
  }

  /** An accumulation that the end of the data cut short is a step of its own. */
  async flush(): Promise<Stepped<AnyBatch> | typeof nothing> {
    const last = this.#gathered.at(-1);
    return last === undefined ? nothing : this.#step(last);
  }

  async #step(batch: AnyBatch): Promise<Stepped<AnyBatch>> {
    const { executor } = this.#run;
    const { gate } = this.#context;
    const { weights } = executor;
    const step = weights.step + 1;
    // 1. Where we are: the learning rate is a function of the finished steps alone.
    const extent = gate.extent();
    const bounded = this.#steps === Number.POSITIVE_INFINITY ? undefined : (step - 1) / this.#steps;
    const progress = extent === undefined ? bounded : Math.max(bounded ?? 0, extent.progress);
    const learningRate = this.#optimizer.learningRate.at({
      step: step - 1,
      ...(progress === undefined ? {} : { progress }),
      ...(extent === undefined ? {} : { epochs: extent.epochs }),
    });
    // 2. The step itself. Where it is not finite nothing has been written.
    const outcome = this.#parts === undefined ? await this.#whole(batch, { learningRate, step }) : await this.#accumulated(batch, { learningRate, step });
    const gathered = this.#gathered;
    const origins = gathered.flatMap((part) => part.origins);
    const loss = outcome.count === 0 ? 0 : outcome.sum / outcome.count;
    if (!outcome.finite) throw await this.#notFinite(step, loss, outcome.gradientNorm, origins);
    // 3. Only now are the samples used.
    this.#gathered = [];
    gate.cursor.settle(origins);
    weights.step = step;
    const rows = gathered.reduce((sum, part) => sum + part.rows, 0);
    this.#samples += rows;
    this.#loss = loss;
    this.#run.report({ loss });
    return { ...batch, report: this.#report(step, loss, learningRate, outcome.gradientNorm, rows, progress) };
  }

  #whole(batch: AnyBatch, scalars: UpdateScalars): Promise<StepOutcome> {
    return this.#run.executor.step(programOf(batch), batch, this.#optimizer, scalars, this.#clip === undefined ? {} : { clip: this.#clip });
  }

  async #accumulated(batch: AnyBatch, scalars: UpdateScalars): Promise<StepOutcome> {
    let gradients = this.#parts as Gradients;
    this.#parts = undefined;
    const { sum, count } = gradients;
    if (count === 0) {
      gradients.dispose();
      return { sum, count, gradientNorm: 0, finite: Number.isFinite(sum) };
    }
    gradients = gradients.scale(1 / count);
    const gradientNorm = await gradients.norm();
    if (!Number.isFinite(sum) || !Number.isFinite(gradientNorm)) {
      gradients.dispose();
      return { sum, count, gradientNorm, finite: false };
    }
    if (this.#clip !== undefined && gradientNorm > this.#clip) gradients = gradients.scale(this.#clip / gradientNorm);
    await this.#run.executor.update(this.#optimizer, programOf(batch).weights, gradients, scalars);
    return { sum, count, gradientNorm, finite: true };
  }

  #report(step: number, loss: number, learningRate: number, gradientNorm: number, rows: number, before: number | undefined): StepReport {
    const now = performance.now();
    const seconds = Math.max(1e-9, (now - this.#lastStep) / 1000);
    const dataWait = Math.min(1, this.#waited / 1000 / seconds);
    this.#lastStep = now;
    this.#waited = 0;
    const extent = this.#context.gate.extent();
    const bounded = this.#steps === Number.POSITIVE_INFINITY ? undefined : step / this.#steps;
    const progress = extent === undefined ? bounded : Math.max(bounded ?? 0, extent.progress, before ?? 0);
    return { step, loss, learningRate, gradientNorm, epoch: extent?.epoch ?? 0, samples: this.#samples, progress, samplesPerSecond: rows / seconds, dataWait };
  }

  async #notFinite(step: number, loss: number, gradientNorm: number, origins: readonly Origin[]): Promise<MaskflowError> {
    const { folder, files } = this.#run;
    const path = `${folder}/not-finite-step-${String(step).padStart(8, '0')}.json`;
    await files.write(path, `${JSON.stringify({ step, loss: String(loss), gradientNorm: String(gradientNorm), samples: origins }, null, 1)}\n`);
    return new MaskflowError({
      stage: this.#context.place.name,
      rule: `loss and gradients must be finite; at step ${step} the loss is ${loss} and the norm of the gradients ${gradientNorm}. The weights were not changed`,
      where: `samples ${origins
        .slice(0, 8)
        .map(({ id }) => id)
        .join(', ')}${origins.length > 8 ? ', …' : ''}; all of them in ${path}`,
      hint: 'Look at these samples, lower the learning rate, or clip: train(…, { clip: 1 }).',
    });
  }

  dispose(): void {
    this.#parts?.dispose();
    this.#parts = undefined;
  }
}

function programOf(batch: AnyBatch): Program<'loss'> {
  if (batch.program === undefined) {
    throw new MaskflowError({ rule: 'there is no model and loss in front of it', hint: 'Put model(…) and loss(…) in front of train(…).' });
  }
  return batch.program as Program<'loss'>;
}
