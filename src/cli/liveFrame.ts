// Some lines of a terminal that are drawn again and again in place. One write a frame, so that nothing flickers.
import { stripVTControlCharacters } from 'node:util';
import { cellWidth } from './unmaskFrame.js';

/** What it needs of a terminal; `process.stdout` is one. */
export interface Terminal {
  readonly columns?: number;
  write(text: string): unknown;
}

export interface LiveFrame {
  /** Replaces what stands there. */
  draw(lines: readonly string[]): void;
  /** Leaves the last frame (or these lines) standing, with the cursor visible on a line of its own. A second call does nothing. */
  end(lines?: readonly string[]): void;
}

const hideCursor = '\u001b[?25l';
const showCursor = '\u001b[?25h';

/**
 * A frame at the cursor. A terminal that has been made narrower breaks old lines anew, which is reckoned with.
 *
 * @example
 * const frame = liveFrame(process.stdout);
 * frame.draw(['░░░']);
 * frame.draw(['The']);
 * frame.end();
 */
export function liveFrame(terminal: Terminal): LiveFrame {
  let before: readonly string[] | undefined;
  let ended = false;
  const erased = (): string => {
    if (before === undefined) return hideCursor;
    const columns = terminal.columns || 80;
    const rows = before.reduce((sum, line) => sum + Math.max(1, Math.ceil(cellWidth(stripVTControlCharacters(line)) / columns)), 0);
    return `\r${rows > 1 ? `\u001b[${rows - 1}A` : ''}\u001b[J`;
  };
  return {
    draw(lines) {
      if (ended) return;
      terminal.write(`${erased()}${lines.join('\n')}`);
      before = lines;
    },
    end(lines) {
      if (ended) return;
      ended = true;
      if (lines !== undefined) terminal.write(`${erased()}${lines.join('\n')}\n${showCursor}`);
      else if (before !== undefined) terminal.write(`\n${showCursor}`);
    },
  };
}
