// maskflow setup tensorflow: native engines that npm alone does not bring.
import { Argument, type Command } from 'commander';
import { removeTensorflow, setupTensorflow } from '../setup/tensorflow.js';

interface SetupFlags {
  gpu?: boolean;
  tensorflow?: string;
  remove?: boolean;
  json?: boolean;
}

export function addSetup(program: Command): void {
  program
    .command('setup')
    .description("Make TensorFlow's own library an engine: @tensorflow/tfjs-node(-gpu) on a pip-installed TensorFlow (Linux).")
    .addArgument(new Argument('<ENGINE>', 'what to set up').choices(['tensorflow']))
    .option('--gpu', 'tfjs-node-gpu, on a TensorFlow with CUDA')
    .option('--tensorflow <DIR>', 'folder of the package tensorflow, its site-packages, or a virtual environment (default: asked of python3, then .venv)')
    .option('--remove', 'undo it')
    .option('--json', 'print the result as one JSON object on stdout')
    .addHelpText(
      'after',
      `
Examples:
  maskflow setup tensorflow
  maskflow setup tensorflow --gpu --tensorflow .venv
  maskflow setup tensorflow --remove

TensorFlow 2.12 or newer comes with:
  python3 -m venv .venv && .venv/bin/pip install tensorflow-cpu
  python3 -m venv .venv && .venv/bin/pip install 'tensorflow[and-cuda]'

Every path that is touched is printed; a second call changes nothing. npm install, npm ci and npm rebuild undo it: call it again.`,
    )
    .action((_: string, flags: SetupFlags) => setupCommand(flags));
}

async function setupCommand({ gpu, tensorflow, remove, json }: SetupFlags): Promise<void> {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  const print = (result: object, text: string): void => void process.stdout.write(json ? `${JSON.stringify(result)}\n` : `${text}\n`);
  if (remove) {
    const removed = await removeTensorflow({ say });
    return print({ removed }, removed.length === 0 ? 'Nothing had been set up.' : `Undone: ${removed.join(', ')}.`);
  }
  const done = await setupTensorflow({ gpu, tensorflow }, { say });
  const backend = done.package.replace('@tensorflow/', '');
  const proven = `${backend} computes on TensorFlow ${done.version}, ${done.gpu ? 'GPU' : 'CPU'} (a product and a gradient)`;
  const without = gpu && !done.gpu ? '\nTensorFlow found no GPU here: see what nvidia-smi says. Until then maskflow takes another engine.' : '';
  print(done, `${done.changed ? 'Set up' : 'Nothing to do'}: ${proven}. Use it with --backend ${backend}, or leave that out.${without}`);
}
