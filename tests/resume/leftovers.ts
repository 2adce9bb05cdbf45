// What a run leaves behind that must be equal, byte by byte, however often it was stopped.
import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

/** Files of the checkpoint that `last` names, and the losses of all steps. */
export function leftovers(folder: string): { checkpoint: Record<string, string>; losses: string[] } {
  const name = readFileSync(join(folder, 'checkpoints/last'), 'utf8').trim();
  const files = readdirSync(join(folder, 'checkpoints', name)).sort();
  const checkpoint = Object.fromEntries(
    files.map((file) => [
      `${name}/${file}`,
      createHash('sha256')
        .update(readFileSync(join(folder, 'checkpoints', name, file)))
        .digest('hex'),
    ]),
  );
  const lines = readFileSync(join(folder, 'metrics.jsonl'), 'utf8').trim().split('\n');
  const losses = lines.map((line) => {
    const { step, loss, learningRate, gradientNorm, samples, epoch } = JSON.parse(line) as Record<string, number>;
    return JSON.stringify({ step, loss, learningRate, gradientNorm, samples, epoch });
  });
  return { checkpoint, losses };
}
