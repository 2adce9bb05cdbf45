/**
 * Upper bound on the perplexity a token: exp(nats / tokens), nats a bound on −ln p of text of so many tokens (Σ of NELBOs).
 *
 * @example
 * perplexityBound(100 * Math.log(8), 100); // 8
 */
export function perplexityBound(nats: number, tokens: number): number {
  return Math.exp(nats / tokens);
}
