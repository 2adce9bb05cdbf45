import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type Column, isColumn, signatureOf } from 'maskflow';
import { encodeSafetensors } from 'maskflow/formats';
import type { Workload } from './workload.js';

/** Writes a workload for the peers: `weights.safetensors`, `batch.safetensors` and `job.json`, which bench/peers/peer.py reads. */
export function writeJob(folder: string, workload: Workload, { checks, threads }: { readonly checks: number; readonly threads: number }): void {
  const { program, batch, weights, decays, model, adam, clip } = workload;
  const columns = new Map(Object.entries(batch.columns).filter((entry): entry is [string, Column] => isColumn(entry[1])));
  const fixed = Object.entries(program.parameters(signatureOf(batch))).flatMap(([name, { trainable }]) => (trainable === false ? [name] : []));
  writeFileSync(join(folder, 'weights.safetensors'), encodeSafetensors(weights));
  writeFileSync(join(folder, 'batch.safetensors'), encodeSafetensors(columns));
  writeFileSync(join(folder, 'job.json'), JSON.stringify({ model, adam, clip: clip ?? null, decays, fixed, checks, threads }));
}
