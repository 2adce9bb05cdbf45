// ColorJitter as a pure decision (factors and order) and its pure arithmetic, with torchvision's meaning: the four
// changes in a random order, values clamped to [0, 1] after each. Trade-off: computed in float32 without rounding to
// 8 bits between the changes, as torchvision does on tensors (on PIL images it rounds).
import { type Key, Draws } from '../../core/key.js';
import { check, checkOptions } from '../../core/options.js';

/** A strength s means a factor in [max(0, 1 − s), 1 + s] (hue: [−s, s]); a pair gives the range itself. 0 = leave out. */
export type Strength = number | readonly [number, number];

export interface ColorJitterOptions {
  readonly brightness?: Strength;
  readonly contrast?: Strength;
  readonly saturation?: Strength;
  /** Turn of the colour circle, at most 0.5 (half of it) either way. */
  readonly hue?: Strength;
}

const changes = ['brightness', 'contrast', 'saturation', 'hue'] as const;
export type Change = (typeof changes)[number];

/** One change with its factor, in the order in which they are applied. */
export type Jitter = readonly { readonly change: Change; readonly factor: number }[];

function range(change: Change, strength: Strength): readonly [number, number] {
  if (typeof strength !== 'number') return strength;
  return change === 'hue' ? [-strength, strength] : [Math.max(0, 1 - strength), 1 + strength];
}

/** Throws unless the strengths make sense. */
export function checkColorJitter(stage: string, options: ColorJitterOptions): void {
  checkOptions(`${stage}.colorJitter`, options, changes);
  for (const change of changes) {
    const strength = options[change];
    if (strength === undefined) continue;
    const [low, high] = range(change, strength);
    const legal = (typeof strength !== 'number' || strength >= 0) && low <= high && Number.isFinite(low) && Number.isFinite(high);
    const rule =
      change === 'hue'
        ? 'must be a strength in [0, 0.5] or a range inside [−0.5, 0.5]'
        : 'must be a strength of at least 0 or a range [least, largest] of factors of at least 0';
    check(legal && (change === 'hue' ? low >= -0.5 && high <= 0.5 : low >= 0), stage, `colorJitter.${change}`, rule, strength);
  }
}

/**
 * Factors and order of one sample. Every factor is drawn whether it is used or not, so that switching one on leaves the others as they were.
 *
 * @example
 * jitterOf(sampleKey(stageKey, origin), { brightness: 0.4, contrast: 0.4 });
 */
export function jitterOf(key: Key, options: ColorJitterOptions): Jitter {
  const draws = new Draws(key);
  const order = draws.choice(changes.length, changes.length);
  const factors = changes.map((change) => {
    const [low, high] = range(change, options[change] ?? 0);
    return draws.uniform(low, high);
  });
  const used = [...order].filter((i) => {
    const strength = options[changes[i] as Change];
    return strength !== undefined && strength !== 0;
  });
  return used.map((i) => ({ change: changes[i] as Change, factor: factors[i] as number }));
}

/** Luma of ITU-R BT.601, what PIL and torchvision call grey. */
const luma = (r: number, g: number, b: number): number => 0.299 * r + 0.587 * g + 0.114 * b;
const clamp = (v: number): number => (v < 0 ? 0 : v > 1 ? 1 : v);

/**
 * Applies `jitter` in place to pixels in [0, 1], row-major with the channel fastest. Saturation and hue leave grey
 * images (`channels` 1) as they are.
 */
export function applyJitter(data: Float32Array, channels: 1 | 3, jitter: Jitter): void {
  for (const { change, factor } of jitter) {
    if (change === 'brightness') blend(data, factor, 0);
    else if (change === 'contrast') blend(data, factor, meanGrey(data, channels));
    else if (channels === 1) continue;
    else if (change === 'saturation') saturate(data, factor);
    else turnHue(data, factor);
  }
}

function blend(data: Float32Array, factor: number, other: number): void {
  const rest = (1 - factor) * other;
  for (let i = 0; i < data.length; i++) data[i] = clamp(factor * (data[i] as number) + rest);
}

function meanGrey(data: Float32Array, channels: number): number {
  let sum = 0;
  if (channels === 1) for (let i = 0; i < data.length; i++) sum += data[i] as number;
  else for (let i = 0; i < data.length; i += 3) sum += luma(data[i] as number, data[i + 1] as number, data[i + 2] as number);
  return sum / (data.length / channels);
}

function saturate(data: Float32Array, factor: number): void {
  for (let i = 0; i < data.length; i += 3) {
    const rest = (1 - factor) * luma(data[i] as number, data[i + 1] as number, data[i + 2] as number);
    for (let c = i; c < i + 3; c++) data[c] = clamp(factor * (data[c] as number) + rest);
  }
}

/** To HSV, hue + `turn` around the circle, and back. */
function turnHue(data: Float32Array, turn: number): void {
  for (let i = 0; i < data.length; i += 3) {
    const r = data[i] as number;
    const g = data[i + 1] as number;
    const b = data[i + 2] as number;
    const value = Math.max(r, g, b);
    const chroma = value - Math.min(r, g, b);
    if (chroma === 0) continue;
    const sextant = value === r ? (g - b) / chroma : value === g ? 2 + (b - r) / chroma : 4 + (r - g) / chroma;
    const hue = (((sextant / 6 + turn) % 1) + 1) % 1;
    for (let c = 0; c < 3; c++) {
      // f(n) of the HSV hexcone with n = 5, 3, 1 for r, g, b.
      const k = (5 - 2 * c + hue * 6) % 6;
      data[i + c] = clamp(value - chroma * Math.max(0, Math.min(k, 4 - k, 1)));
    }
  }
}
