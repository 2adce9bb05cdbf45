import { basename, extname } from 'node:path';
import { MaskflowError } from '../core/errors.js';
import type { Pipeline } from '../core/pipeline.js';
import { loadModule } from './loadModule.js';

/** The pipeline that a file exports as its default, and the file's name without extension. */
export async function loadPipeline(file: string): Promise<{ name: string; pipeline: Pipeline }> {
  const { default: exported } = await loadModule(file);
  if (typeof exported !== 'object' || exported === null || (exported as Partial<Pipeline>).kind !== 'maskflow.pipeline') {
    throw new MaskflowError({
      stage: 'maskflow',
      option: 'FILE',
      rule: 'the file must export a pipeline as its default',
      value: exported,
      where: file,
      hint: 'Write export default pipeline({ epochs: 1 }, ({ epochs: n }) => source.pipe(…)).',
    });
  }
  return { name: basename(file, extname(file)), pipeline: exported as Pipeline };
}
