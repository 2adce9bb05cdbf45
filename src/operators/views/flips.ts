import { type Key, words } from '../../core/key.js';

/**
 * Whether an image is mirrored left to right: true with `probability` (0 never, 1 always). One 32-bit draw of the key.
 *
 * @example
 * flips(sampleKey(stageKey, origin), 0.5);
 */
export function flips(key: Key, probability: number): boolean {
  return (words(key, 1)[0] as number) < probability * 2 ** 32;
}
