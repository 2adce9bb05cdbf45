// The two workloads that are masked autoencoders: `vitMae` and `patchReconstruction` as a recipe would compose them, on
// patches of normal noise (what they hold does not change the time of a step) under exact masks.
import { type Column, type Mask, adamw, fold, noDecayOfVectors, patchReconstruction, sampleKey, signatureOf, vitMae, withColumns, withLoss } from 'maskflow';
import { type AdamSettings, type Workload, batchOf, firstWeights, normalColumn, workloadKey } from './workload.js';

export interface MaskedSizes {
  readonly rows: number;
  readonly grid: readonly number[];
  readonly patch: number;
  readonly channels: number;
  readonly width: number;
  readonly depth: number;
  readonly heads: number;
  readonly decoder: { readonly width: number; readonly depth: number; readonly heads: number };
  readonly eps: number;
  readonly rule: Mask;
  readonly clip?: number;
}

export function masked(name: string, sizes: MaskedSizes, adam: AdamSettings): Workload {
  const { rows, grid, patch, channels, width, depth, heads, decoder, eps, rule, clip } = sizes;
  const key = workloadKey(name);
  const length = grid.reduce((product, side) => product * side, 1);
  const model = vitMae({ width, depth, heads, decoder, channels, layerNormEps: eps });
  const program = withLoss(model, patchReconstruction({ normalize: false }));

  const plain = batchOf(rows, { tokens: normalColumn(fold(key, 'tokens'), [rows, length, patch * patch * channels]) }, grid);
  const hidden = new Uint8Array(rows * length);
  plain.origins.forEach((origin, row) => hidden.set(rule.hide({ grid, length }, sampleKey(fold(key, 'mask'), origin)), row * length));
  const mask: Column = { data: hidden, shape: [rows, ...grid] };
  const hiding = withColumns(plain, { mask });
  const batch = withColumns(hiding, model.prepare(hiding));

  const { learningRate } = adam;
  const parameters = Object.entries(program.parameters(signatureOf(batch)));
  return {
    name,
    program,
    batch,
    optimizer: adamw(adam),
    ...(clip === undefined ? {} : { clip }),
    scalars: (step) => ({ learningRate, step }),
    weights: firstWeights(name, program, batch),
    decays: parameters
      .filter(([parameter, { shape, trainable }]) => trainable !== false && !noDecayOfVectors(parameter, shape))
      .map(([parameter]) => parameter),
    model: { kind: 'masked', depth, heads, decoder: { depth: decoder.depth, heads: decoder.heads }, eps },
    adam,
  };
}
