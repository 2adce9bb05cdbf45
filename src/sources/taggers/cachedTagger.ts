// A tagger's answers, kept as Arrow: a sentence is tagged once, in this run and in later ones. Tagging by compromise or a network is slower
// than a training step of a small model; read from here it costs microseconds.
import { check, checkInteger, checkOptions } from '../../core/options.js';
import { recipe } from '../../core/recipe.js';
import type { Tagged, Tagger } from '../../operators/views/tagger.js';
import type { TextOrWords } from '../../operators/views/tokenizer.js';
import { type Answer, TagStore, keyOf } from './tagStore.js';

export interface CachedTaggerOptions {
  /** Most bytes of cached files held in memory; what is more is read from disk. Default 256 MiB. Their index takes some 100 bytes a sentence beside it. */
  readonly memory?: number;
  /** New sentences a file; a kill loses those that were not written yet. Default 4096. */
  readonly shard?: number;
}

export interface CachedTagger extends Tagger {
  /** Different sentences that are in the cache. */
  readonly size: number;
  flush(): Promise<void>;
}

/**
 * `tagger` with its answers kept in `folder`: Arrow files (`part-000000.arrow`, …) with the columns `text` or `words`, `bits` and
 * `spans` (as of `Tagged`), keyed by the text. A file is complete or not there, whatever happens; the stage `tag` writes the last, short one
 * where its stream ends. A cache of another tagger (its fingerprint is in the files' metadata) is refused, never mixed.
 *
 * @throws MaskflowError (through the promise) for a tagger that reads columns of its own (gold tags need no cache), a folder with
 * another tagger's answers, a damaged file
 * @example
 * const tagger = await cachedTagger(await compromiseTagger(), 'tags');
 * rows.pipe(tag(tagger, { tokenizer: words }));
 */
export async function cachedTagger(tagger: Tagger, folder: string, options: CachedTaggerOptions = {}): Promise<CachedTagger> {
  const stage = 'cachedTagger';
  checkOptions(stage, options, ['memory', 'shard']);
  const { memory = 256 * 2 ** 20, shard = 4096 } = options;
  check(typeof tagger?.tag === 'function', stage, 'tagger', 'must be a tagger', tagger);
  check(
    (tagger.reads ?? []).length === 0,
    stage,
    'tagger',
    'must read the text alone; its answers are kept by the text',
    tagger.reads,
    'Gold tags need no cache.',
  );
  check(typeof folder === 'string' && folder !== '', stage, 'folder', 'must name a folder', folder);
  checkInteger(stage, 'memory', memory, 0);
  checkInteger(stage, 'shard', shard);
  const store = await TagStore.open(folder, tagger.fingerprint, memory);
  let pending = new Map<string, Answer>();
  const write = async (): Promise<void> => {
    if (pending.size === 0) return;
    await store.add(pending);
    pending = new Map();
  };
  const answer = async (texts: readonly TextOrWords[]): Promise<readonly Tagged[]> => {
    const keys = texts.map(keyOf);
    const fresh = new Map<string, TextOrWords>();
    for (const [i, key] of keys.entries()) if (!store.has(key) && !pending.has(key)) fresh.set(key, texts[i] as TextOrWords);
    if (fresh.size > 0) {
      const answers = await tagger.tag([...fresh.values()], []);
      check(answers.length === fresh.size, stage, 'tagger', `must answer every text: ${fresh.size}`, answers.length);
      for (const [i, [key, text]] of [...fresh].entries()) pending.set(key, { text, tagged: answers[i] as Tagged });
    }
    const found: Tagged[] = [];
    for (const key of keys) found.push(pending.get(key)?.tagged ?? (await store.get(key)));
    if (pending.size >= shard) await write();
    return found;
  };
  // One call after the other: so no sentence is tagged twice, and no file is written while answers are looked up.
  let before: Promise<unknown> = Promise.resolve();
  const inTurn = <T>(work: () => Promise<T>): Promise<T> => {
    const turn = before.then(work);
    before = turn.catch(() => undefined);
    return turn;
  };
  return {
    recipe: recipe('maskflow/sources', stage, { tagger: tagger.recipe }),
    fingerprint: tagger.fingerprint,
    get size() {
      return store.size + pending.size;
    },
    tag: (texts) => inTurn(() => answer(texts)),
    flush: () => inTurn(write),
  };
}
