// A text that is longer than a model reads, in windows of whole words. Pure.
import type { Encoded } from '../../operators/views/tokenizer.js';

/**
 * Windows [from, to) over the tokens of a text, each of at most `room` tokens; they end where a word ends, unless a word is longer
 * than a window. A text without tokens has none.
 */
export function tokenWindows({ ids, words }: Encoded, room: number): (readonly [number, number])[] {
  const windows: [number, number][] = [];
  for (let from = 0; from < ids.length; ) {
    let to = Math.min(ids.length, from + room);
    if (to < ids.length) {
      let cut = to;
      while (cut > from && words[cut] === words[cut - 1]) cut--;
      if (cut > from) to = cut;
    }
    windows.push([from, to]);
    from = to;
  }
  return windows;
}
