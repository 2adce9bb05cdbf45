import { readFileSync } from 'node:fs';

/**
 * Bytes of a process's resident set, now or at its highest, as Linux keeps them; 0 where there is no /proc. The highest is that
 * of this program: getrusage would give a child what its parent had when it was forked.
 */
export function residentOf(process: number | 'self', what: 'now' | 'highest' = 'now'): number {
  try {
    const status = readFileSync(`/proc/${process}/status`, 'utf8');
    return 1024 * Number(new RegExp(`${what === 'now' ? 'VmRSS' : 'VmHWM'}:\\s+(\\d+)`).exec(status)?.[1] ?? 0);
  } catch {
    return 0;
  }
}
