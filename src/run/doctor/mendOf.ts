// The one command that mends an engine: another Node or what is missing first, then what its own error says.
import type { BackendName } from '../../backends/index.js';
import type { EngineReport } from './doctorReport.js';
import { needs } from './needs.js';

/** What is known of an engine after its trial. */
export interface Findings {
  /** Its packages are there in versions that do. */
  readonly right: boolean;
  readonly works: boolean;
  readonly on: EngineReport['on'];
  readonly node: EngineReport['node'];
  /** What its own error says that helps. */
  readonly hint: string | undefined;
  /** It had not answered when its time was over. */
  readonly late: boolean;
  /** NVIDIA cards. */
  readonly cards: number;
}

/** The one command that mends it; undefined where there is nothing to mend. */
export function mendOf(name: BackendName, { right, works, on, node, hint, late, cards }: Findings): string | undefined {
  if (works && right) return on === 'software' ? driverOf(name, cards) : undefined;
  if (!works && !node.supported) return `nvm install 24 (or another Node: ${node.expected})`;
  if (!right) return commandOf(name, cards);
  // A slow or busy machine; to install again what is there would not help.
  if (late) return 'maskflow doctor --limit 300 (the machine may be slow or busy)';
  // All there, and it does not work: its own error knows most.
  return hint ?? (name === 'webgpu' ? driverOf(name, cards) : commandOf(name, cards));
}

/** What brings an engine; TensorFlow with CUDA is large, and of no use without a card. */
function commandOf(name: BackendName, cards: number): string {
  return `${needs[name].command}${name === 'tfjs-node-gpu' && cards === 0 ? ' (where there is an NVIDIA card)' : ''}`;
}

/** What brings a GPU engine that is there onto the GPU. */
function driverOf(name: BackendName, cards: number): string {
  if (name === 'tfjs-node-gpu' && cards > 0) return ".venv/bin/pip install 'tensorflow[and-cuda]' && maskflow setup tensorflow --gpu";
  if (process.platform !== 'linux') return 'Update the driver of the GPU.';
  const nvidiaDriver = 'apt-get install nvidia-driver (Ubuntu: ubuntu-drivers install)';
  return name === 'tfjs-node-gpu' ? nvidiaDriver : `apt-get install mesa-vulkan-drivers for AMD and Intel; for NVIDIA ${nvidiaDriver}`;
}
