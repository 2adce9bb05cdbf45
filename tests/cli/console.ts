// The command line inside this process: what it prints and its exit code.
import { vi } from 'vitest';
import { main } from '../../src/cli/main.js';

export interface Told {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Without colours. */
export function plainText(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters.
  return text.replace(/\u001b\[[0-9;]*m/g, '');
}

/** `maskflow …argv`. */
export async function maskflow(...argv: string[]): Promise<Told> {
  const written = { stdout: '', stderr: '' };
  const spies = (['stdout', 'stderr'] as const).map((name) =>
    vi.spyOn(process[name], 'write').mockImplementation((text) => {
      written[name] += String(text);
      return true;
    }),
  );
  try {
    const code = await main(argv);
    return { code, stdout: plainText(written.stdout), stderr: plainText(written.stderr) };
  } finally {
    for (const spy of spies) spy.mockRestore();
    process.exitCode = undefined;
  }
}
