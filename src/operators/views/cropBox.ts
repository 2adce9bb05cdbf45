// RandomResizedCrop as a pure decision: which box of an image is looked at. The rule is torchvision's
// (`RandomResizedCrop.get_params`, after Szegedy et al. 2015, "Going deeper with convolutions", section 6).
import { type Key, Draws } from '../../core/key.js';
import { check, checkOptions } from '../../core/options.js';

export interface CropOptions {
  /** Least and largest share of the image's area. Default [0.2, 1], MAE's (torchvision's own default is [0.08, 1]). */
  readonly scale?: readonly [number, number];
  /** Least and largest width / height; drawn uniformly in its logarithm. Default [3/4, 4/3]. */
  readonly ratio?: readonly [number, number];
}

/** A part of an image in whole pixels. */
export interface Box {
  readonly left: number;
  readonly top: number;
  readonly width: number;
  readonly height: number;
}

/** Throws unless the crop's options make sense. */
export function checkCrop(stage: string, options: CropOptions): void {
  checkOptions(`${stage}.randomResizedCrop`, options, ['scale', 'ratio', 'interpolation']);
  const { scale = [0.2, 1], ratio = [3 / 4, 4 / 3] } = options;
  check(
    scale.length === 2 && scale[0] > 0 && scale[0] <= scale[1] && scale[1] <= 1,
    stage,
    'randomResizedCrop.scale',
    'must be two shares of the area with 0 < least ≤ largest ≤ 1',
    scale,
    'Try [0.2, 1].',
  );
  check(
    ratio.length === 2 && ratio[0] > 0 && ratio[0] <= ratio[1] && Number.isFinite(ratio[1]),
    stage,
    'randomResizedCrop.ratio',
    'must be two ratios width / height with 0 < least ≤ largest',
    ratio,
    'Try [3/4, 4/3].',
  );
}

/**
 * The box that a random resized crop looks at, inside an image of `width` × `height` pixels.
 * Ten tries: area share uniform in `scale`, ratio log-uniform in `ratio`, place uniform. Where none fits (a very long
 * image), the largest centred box whose ratio lies in `ratio`. A function of the arguments alone.
 *
 * @example
 * cropBox(sampleKey(stageKey, origin), 500, 375, { scale: [0.2, 1] }); // { left, top, width, height }
 */
export function cropBox(key: Key, width: number, height: number, { scale = [0.2, 1], ratio = [3 / 4, 4 / 3] }: CropOptions = {}): Box {
  const draws = new Draws(key);
  for (let attempt = 0; attempt < 10; attempt++) {
    const area = width * height * draws.uniform(scale[0], scale[1]);
    const aspect = Math.exp(draws.uniform(Math.log(ratio[0]), Math.log(ratio[1])));
    const w = Math.round(Math.sqrt(area * aspect));
    const h = Math.round(Math.sqrt(area / aspect));
    if (w < 1 || h < 1 || w > width || h > height) continue;
    const top = draws.integer(height - h + 1);
    return { left: draws.integer(width - w + 1), top, width: w, height: h };
  }
  const whole = width / height;
  const w = whole > ratio[1] ? Math.max(1, Math.round(height * ratio[1])) : width;
  const h = whole < ratio[0] ? Math.max(1, Math.round(width / ratio[0])) : height;
  return { left: (width - w) >> 1, top: (height - h) >> 1, width: w, height: h };
}
