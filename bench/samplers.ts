// Unmasking a sequence of 1,024 tokens over 50,257 ids on one thread: categorical draws alone, whole samplers with a network that
// costs nothing (logits lie ready), and from both what 10,000 steps of ancestral sampling cost as they are usually written: a
// network call a step and an inverse-CDF draw (float64 softmax and cumulative sum) at every hidden position. That one is measured
// on some draws and multiplied. Beside it, where Python has numpy (MASKFLOW_PYTHON, or python3), numpy's inverse CDF.
// Run: npm run bench -- samplers
import { spawnSync } from 'node:child_process';
import { Draws, type Network, type Sampler, ancestral, beginDraws, canvas, confidence, drawToken, firstHitting, rootKey, tokenStats, unmask } from 'maskflow';
import { lastValueFrom } from 'rxjs';
import { line } from './support/line.js';
import { median } from './support/quantile.js';

const V = 50_257;
const L = 1024;
const steps = 10_000;
const repeats = 5;

/** Logits of 64 positions as language models have them: normal noise of deviation 3 and a few likely tokens. */
const bank = (() => {
  const draws = new Draws(rootKey(0));
  const logits = new Float32Array(64 * V);
  for (let i = 0; i < logits.length; i++) logits[i] = 3 * draws.normal();
  for (let row = 0; row < 64; row++) for (let k = 0; k < 4; k++) logits[row * V + draws.integer(V)] = 12 + draws.normal();
  return logits;
})();
const of = { logits: bank, vocabulary: V, never: [] };

async function seconds(work: () => unknown): Promise<number> {
  const times: number[] = [];
  for (let repeat = 0; repeat <= repeats; repeat++) {
    const start = performance.now();
    await work();
    if (repeat > 0) times.push((performance.now() - start) / 1000);
  }
  return median(times);
}

// 1. Draws.
const draws = await seconds(() => {
  for (let i = 0; i < L; i++) {
    beginDraws({ ...rootKey(1), c1: i });
    drawToken(of, (i % 64) * V, 1);
  }
});
line('samplers', { what: 'draws', way: 'ours', vocabulary: V, tokens: L, seconds: draws });
const cumulative = new Float64Array(V);
const inverse = await seconds(() => {
  const uniform = new Draws(rootKey(2));
  for (let i = 0; i < L; i++) {
    const from = (i % 64) * V;
    let [most, sum] = [Number.NEGATIVE_INFINITY, 0];
    for (let v = 0; v < V; v++) most = Math.max(most, bank[from + v] as number);
    for (let v = 0; v < V; v++) cumulative[v] = sum += Math.exp((bank[from + v] as number) - most);
    const at = uniform.uniform() * sum;
    let [low, high] = [0, V - 1];
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((cumulative[middle] as number) > at) high = middle;
      else low = middle + 1;
    }
  }
});
line('samplers', { what: 'draws', way: 'inverse CDF in JavaScript', vocabulary: V, tokens: L, seconds: inverse });
const numpy = spawnSync(process.env.MASKFLOW_PYTHON ?? 'python3', ['-c', numpyScript()], { encoding: 'utf8' });
if (numpy.status === 0)
  for (const [way, took] of Object.entries(JSON.parse(numpy.stdout))) line('samplers', { what: 'draws', way, vocabulary: V, tokens: L, seconds: took });
else console.error('Python with numpy was not found: its draws are left out.');
const ranking = await seconds(() => {
  for (let i = 0; i < L; i++) tokenStats(of, (i % 64) * V);
});
line('samplers', { what: 'ranking', way: 'confidence, margin and entropy of every hidden token, one step', vocabulary: V, tokens: L, seconds: ranking });

// 2. Whole samplers; the network hands out what lies ready.
let passes = 0;
const network: Network = ({ positions }) => {
  passes++;
  if (positions.length <= 64) return bank.subarray(0, positions.length * V);
  const logits = new Float32Array(positions.length * V);
  for (let at = 0; at < positions.length; at += 64) logits.set(bank.subarray(0, Math.min(64, positions.length - at) * V), at * V);
  return logits;
};
const start = canvas([[]], { maskId: V, generate: L });
const whole = async (way: string, sampler: Sampler): Promise<{ took: number; calls: number }> => {
  let calls = 0;
  const took = await seconds(async () => {
    passes = 0;
    await lastValueFrom(unmask(network, sampler, { start, maskId: V, vocabulary: V }));
    calls = passes;
  });
  line('samplers', { what: 'sampler', way, vocabulary: V, tokens: L, passes: calls, seconds: took });
  return { took, calls };
};
const hitting = await whole('firstHitting', firstHitting());
await whole('firstHitting in 64 steps', firstHitting({ steps: 64 }));
const cached = await whole(`ancestral in ${steps} steps, the network called where something leaves the mask`, ancestral({ steps }));
await whole('confidence in 8 steps', confidence({ steps: 8 }));

// 3. Against ancestral sampling as it is usually written, for networks of several costs a call.
const usualDraws = (inverse / L) * steps * ((L + 1) / 2);
for (const milliseconds of [0, 10, 100, 1000]) {
  const network = milliseconds / 1000;
  const ours = hitting.took + hitting.calls * network;
  const usual = usualDraws + steps * network;
  line('samplers', {
    what: `firstHitting against ancestral in ${steps} steps`,
    networkMilliseconds: milliseconds,
    seconds: ours,
    usualSeconds: usual,
    usualIsComputed: true,
    times: usual / ours,
    timesOverOurCachedAncestral: (cached.took + cached.calls * network) / ours,
    goal: 20,
  });
}

function numpyScript(): string {
  return `
import json, time, numpy as np
V, L = ${V}, ${L}
x = (3 * np.random.default_rng(0).standard_normal((64, V))).astype(np.float32)
p = np.exp(x.astype(np.float64)); p /= p.sum(1, keepdims=True)
r = np.random.default_rng(1)
def best(f):
    times = []
    for _ in range(6):
        start = time.perf_counter()
        for i in range(L): f(i % 64)
        times.append(time.perf_counter() - start)
    return sorted(times[1:])[2]
def ready(i):
    c = np.cumsum(p[i]); np.searchsorted(c, r.random() * c[-1])
def logits(i):
    y = x[i].astype(np.float64); c = np.cumsum(np.exp(y - y.max())); np.searchsorted(c, r.random() * c[-1])
print(json.dumps({'numpy, inverse CDF of probabilities': best(ready), 'numpy, inverse CDF of logits': best(logits)}))
`;
}
