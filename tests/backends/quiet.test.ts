import { expect, it, vi } from 'vitest';
import { chooseBackend } from '../../src/backends/index.js';

// A file of its own: tfjs prints its advert once in a process, at the first upload to its cpu backend, and the loader of
// the wasm backend adds its listeners once.
it.each(['cpu', 'wasm'])('choosing %s prints nothing and leaves no listener on the process', async (backend) => {
  const prints = (['log', 'warn', 'error', 'info'] as const).map((method) => vi.spyOn(console, method));
  const events = ['uncaughtException', 'unhandledRejection'];
  const listeners = events.map((event) => process.listenerCount(event));
  await chooseBackend({ backend });
  for (const print of prints) {
    expect(print).not.toHaveBeenCalled();
    print.mockRestore();
  }
  expect(events.map((event) => process.listenerCount(event))).toEqual(listeners);
});
