import { availableParallelism } from 'node:os';
import { describe, expect, it } from 'vitest';
import { loadOnnx, missingForOnnx } from '../../../src/backends/onnx.js';
import { onnxSettings } from '../../../src/backends/onnx/onnxSettings.js';
import { onnxRuntime } from './engine.js';

const here = { platform: 'linux', arch: 'x64', version: '1.30.0', builds: ['darwin/arm64', 'linux/arm64', 'linux/x64'] };

describe('missingForOnnx', () => {
  it('finds nothing missing where all is there', () => {
    expect(missingForOnnx(here)).toBeUndefined();
    expect(missingForOnnx({ ...here, version: '1.31.2' })).toBeUndefined();
  });

  it('names the command that brings the package', () => {
    expect(missingForOnnx({ ...here, version: undefined, builds: [] })?.message).toBe(
      // As it works in this checkout, where the package is an optional peer.
      'backend.onnx: the package onnxruntime-node is not installed. npm install --no-save --save-prod --ignore-scripts onnxruntime-node@1.30.0',
    );
  });

  it.each(['0.9.1', '1.12.1', '2.0.0'])('names the version that it is tested with where version %s is there', (version) => {
    expect(missingForOnnx({ ...here, version })?.message).toMatch(
      new RegExp(
        `onnxruntime-node must be of version 1\\.\\d+ or newer, below 2; maskflow is tested with 1\\.30\\.0; got "${version}"\\. npm install --no-save --save-prod --ignore-scripts`,
      ),
    );
  });

  it('says for which platforms there is a build', () => {
    expect(missingForOnnx({ ...here, platform: 'darwin' })?.message).toBe(
      'backend.onnx: onnxruntime-node 1.30.0 has no build for this platform; got "darwin/x64". It has darwin/arm64, linux/arm64, linux/x64. Use --backend wasm.',
    );
  });
});

describe('onnxSettings', () => {
  it('reads what is set', () => {
    expect(onnxSettings({})).toEqual({});
    expect(onnxSettings({ MASKFLOW_ONNX_THREADS: '', MASKFLOW_ONNX_GRAPHS: '' })).toEqual({});
    expect(
      onnxSettings({
        MASKFLOW_ONNX_PROVIDER: 'webgpu',
        MASKFLOW_ONNX_THREADS: '4',
        MASKFLOW_ONNX_SESSIONS: '2',
        MASKFLOW_ONNX_SPINNING: 'off',
        MASKFLOW_ONNX_GRAPHS: 'graphs',
        MASKFLOW_ONNX_PROFILE: 'profiles',
        MASKFLOW_ONNX_FALLBACK: 'wasm',
      }),
    ).toEqual({ provider: 'webgpu', threads: 4, sessions: 2, spinning: false, graphs: 'graphs', profile: 'profiles', fallback: 'wasm' });
  });

  it.each([
    ['MASKFLOW_ONNX_PROVIDER', 'gpu', 'must be cpu, webgpu or cuda'],
    ['MASKFLOW_ONNX_THREADS', '0', 'must be an integer of at least 1'],
    ['MASKFLOW_ONNX_SESSIONS', 'many', 'must be an integer of at least 1'],
    ['MASKFLOW_ONNX_SPINNING', 'toString', 'must be on or off'],
    ['MASKFLOW_ONNX_FALLBACK', 'webgpu', 'must be wasm or cpu'],
  ])('refuses %s=%s', (name, value, rule) => {
    expect(() => onnxSettings({ [name]: value })).toThrow(`backend.${name}: ${rule}; got "${value}".`);
  });
});

describe.skipIf((await onnxRuntime()) === undefined)('loadOnnx', () => {
  it('says what computes', async () => {
    const { device, software, settings } = await loadOnnx({ provider: 'cpu' });
    expect(device).toMatch(/^ONNX Runtime 1\.\d+\.\d+, CPU, \d+ threads?$/);
    expect(device).toContain(`${process.env.MASKFLOW_ONNX_THREADS ?? availableParallelism()} thread`);
    expect(software).toBe(false);
    expect(settings).toEqual({ provider: 'cpu', threads: Number(process.env.MASKFLOW_ONNX_THREADS ?? availableParallelism()) });
    // Nothing about its use leaves this machine.
    expect(process.env.ORT_DISABLE_TELEMETRY).toBe('1');
  });
});
