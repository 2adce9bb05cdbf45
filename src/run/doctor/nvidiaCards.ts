// NVIDIA's cards, seen without loading any of its libraries into this process.
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import type { DoctorReport } from './doctorReport.js';

/** What NVIDIA's own command says; no cards where there is no such command or it fails. */
export async function nvidiaCards(): Promise<DoctorReport['gpus']> {
  const ask = async (...flags: string[]): Promise<string> => (await promisify(execFile)('nvidia-smi', flags, { timeout: 10_000 })).stdout;
  try {
    const cuda = /CUDA Version:\s*([\d.]+)/.exec(await ask())?.[1];
    const listed = await ask('--query-gpu=name,driver_version', '--format=csv,noheader');
    return listed
      .trim()
      .split('\n')
      .filter((line) => line.includes(', '))
      .map((line) => {
        const at = line.lastIndexOf(', ');
        return { name: line.slice(0, at), driver: line.slice(at + 2), ...(cuda === undefined ? {} : { cuda }) };
      });
  } catch {
    return [];
  }
}
