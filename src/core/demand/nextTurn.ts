/** Calls back in a turn of its own, after what has been queued. Node's own way takes microseconds, a timer a millisecond: as long as a thousand samples. */
export const nextTurn: (go: () => void) => void = (globalThis as { setImmediate?: (go: () => void) => void }).setImmediate ?? ((go) => setTimeout(go, 0));
