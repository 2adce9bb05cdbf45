import { expect, it } from 'vitest';
import { installCommand } from '../../src/backends/installCommand.js';

it('installs packages of exact versions without scripts; in a checkout of maskflow itself it saves nothing', () => {
  const packages = { webgpu: '0.6.2', '@tensorflow/tfjs-backend-webgpu': '4.22.0' };
  expect(installCommand(packages, 'file:///home/me/app/node_modules/maskflow/dist/backends/installCommand.js')).toBe(
    'npm install --ignore-scripts webgpu@0.6.2 @tensorflow/tfjs-backend-webgpu@4.22.0',
  );
  expect(installCommand({ webgpu: '0.6.2' }, 'file:///home/me/maskflow/src/backends/installCommand.ts')).toBe(
    'npm install --no-save --save-prod --ignore-scripts webgpu@0.6.2',
  );
});
