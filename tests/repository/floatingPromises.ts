// Not a test: bait for the lint. Each suppression below suppresses something only while the rule fires, and the lint
// refuses suppressions that suppress nothing; so `npm run lint` fails on the day the rule goes blind.
import { open, writeFile } from 'node:fs/promises';
import { lastValueFrom, of } from 'rxjs';

async function own(): Promise<void> {
  await Promise.resolve();
}

export async function floating(path: string): Promise<void> {
  // eslint-disable-next-line @typescript-eslint/no-floating-promises -- ours
  own();
  // eslint-disable-next-line @typescript-eslint/no-floating-promises -- of a module of Node
  writeFile(path, '');
  // eslint-disable-next-line @typescript-eslint/no-floating-promises -- of RxJS
  lastValueFrom(of(1));
  const handle = await open(path);
  // eslint-disable-next-line @typescript-eslint/no-floating-promises -- a method of an inferred type
  handle.close();
  // eslint-disable-next-line @typescript-eslint/no-misused-promises -- nobody waits for what forEach's function returns
  [1, 2].forEach(own);
}
