// Ancestral sampling of one position by Gumbel-max with noise of finite precision, in closed form.
import { largestGumbel, truncatedGumbel } from 'maskflow';

/** The law of one position's token, and its mean step / N, where the noise of every draw is cut at that of so many bits. */
export function ancestralLaw(p: Float64Array, steps: number, bits: number): { law: Float64Array; when: number } {
  const cut = largestGumbel(bits);
  const law = new Float64Array(p.length);
  const classes = new Float64Array(p.length + 1);
  let [hidden, when] = [1, 0];
  for (let step = 0; step < steps; step++) {
    const leave = 1 / (steps - step);
    for (let i = 0; i < p.length; i++) classes[i] = (p[i] as number) * leave;
    classes[p.length] = 1 - leave;
    // Nothing stays hidden in the last step: the draw is among tokens alone.
    const drawn = step === steps - 1 ? truncatedGumbel(p, cut) : truncatedGumbel(classes, cut);
    const stay = step === steps - 1 ? 0 : (drawn[p.length] as number);
    for (let i = 0; i < p.length; i++) law[i] = (law[i] as number) + hidden * (drawn[i] as number);
    when += (hidden * (1 - stay) * (step + 1)) / steps;
    hidden *= stay;
  }
  return { law, when };
}
