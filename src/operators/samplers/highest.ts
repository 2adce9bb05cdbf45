/**
 * The indices of the `count` highest of `scores`, ascending; on ties the lower index is taken.
 *
 * @example
 * highest(Float64Array.of(0.1, 0.9, 0.9, 0.5), 2); // Int32Array [1, 2]
 */
export function highest(scores: Float64Array, count: number): Int32Array {
  if (count >= scores.length) return Int32Array.from(scores, (_, i) => i);
  if (count <= 0) return new Int32Array(0);
  if (count === 1) {
    let best = 0;
    for (let i = 1; i < scores.length; i++) if ((scores[i] as number) > (scores[best] as number)) best = i;
    return Int32Array.of(best);
  }
  // Infinities of one sign are equal, so they are compared and not subtracted.
  const order = Int32Array.from(scores, (_, i) => i).sort((a, b) => {
    const [x, y] = [scores[a] as number, scores[b] as number];
    return x === y ? a - b : x > y ? -1 : 1;
  });
  return order.slice(0, count).sort();
}
