// Training of a small text model outside a run, for experiments: the product's own stages, one step a call.
import { type AnyBatch, type Program, type TextEncoderOutput, adamw, askedScores, loss, maskedLanguage, model } from 'maskflow';
import { createExecutor } from 'maskflow/backends';
import { type OperatorFunction, firstValueFrom, of } from 'rxjs';

/** Stages between the tokens and the model: mask, weight, corruption. */
export type Stages = OperatorFunction<AnyBatch, AnyBatch>;

export interface TrainerOptions {
  readonly seed: number;
  readonly learningRate?: number;
  /** Steps over which the rate rises. Default 100. */
  readonly warmup?: number;
  /** Largest norm of a gradient. Default 1. */
  readonly clip?: number;
  /** As in `maskedLanguage`. Default `asked`. */
  readonly over?: 'asked' | 'tokens';
  /** Steps over which the rate falls to 0 on a cosine. Default: it does not. */
  readonly cosine?: number;
}

export interface Trainer {
  readonly executor: Awaited<ReturnType<typeof createExecutor>>;
  /** One step on what the stages make of a batch; answers the loss in nats. */
  step(batch: AnyBatch, stages: Stages): Promise<number>;
  /** What the model answers to what the stages make of a batch, summed over the tokens asked. */
  ask(batch: AnyBatch, stages: Stages): Promise<{ readonly asked: number; readonly right: number; readonly surprisal: number }>;
  /** The same token by token, in the order of the labels. */
  scores(batch: AnyBatch): Promise<{ readonly right: number[]; readonly surprisal: number[] }>;
}

/**
 * A model with an engine and Adam.
 *
 * @example
 * const { step } = await trainer(textEncoder({ vocabulary: 64 }), { seed: 0 });
 */
export async function trainer(encoder: Program<TextEncoderOutput>, options: TrainerOptions): Promise<Trainer> {
  const { seed, learningRate = 2e-3, warmup = 100, clip = 1, over = 'asked', cosine } = options;
  const executor = await createExecutor({ seed });
  // Made once, so that all batches share one program.
  const attach = model<unknown, TextEncoderOutput>(encoder) as unknown as Stages;
  const term = loss(maskedLanguage({ over })) as unknown as Stages;
  const scored = askedScores(encoder);
  const optimizer = adamw({ weightDecay: 0 });
  let steps = 0;
  const scores = async (batch: AnyBatch): Promise<{ right: number[]; surprisal: number[] }> => {
    const described = await firstValueFrom(of(batch).pipe(attach));
    const answer = await executor.evaluate(scored, described, ['asked', 'right', 'surprisal']);
    const kept = [...answer.asked.data.keys()].filter((slot) => answer.asked.data[slot] === 1);
    return { right: kept.map((slot) => answer.right.data[slot] as number), surprisal: kept.map((slot) => answer.surprisal.data[slot] as number) };
  };
  return {
    executor,
    scores,
    async step(batch, stages) {
      steps++;
      const described = await firstValueFrom(of(batch).pipe(stages, attach, term));
      const falling = cosine === undefined ? 1 : (1 + Math.cos((Math.PI * Math.min(steps, cosine)) / cosine)) / 2;
      const rate = learningRate * falling * Math.min(1, steps / Math.max(1, warmup));
      const { sum, count, finite } = await executor.step(
        described.program as Program<'loss'>,
        described,
        optimizer,
        { learningRate: rate, step: steps },
        { clip },
      );
      if (!finite && count > 0) throw new Error(`step ${steps}: the loss is ${sum} / ${count}`);
      return sum / count;
    },
    async ask(batch, stages) {
      const { right, surprisal } = await scores(await firstValueFrom(of(batch).pipe(stages)));
      const total = (of: readonly number[]): number => of.reduce((sum, one) => sum + one, 0);
      return { asked: right.length, right: total(right), surprisal: total(surprisal) };
    },
  };
}
