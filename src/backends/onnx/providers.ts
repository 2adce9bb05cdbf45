// Where the compiled engine computes: ONNX Runtime's execution providers that we use, and how a graph and its state are
// laid out for each.

/** `cpu`; `webgpu`: any GPU through Vulkan, Metal or Direct3D 12; `cuda`: NVIDIA, with libraries that npm does not bring. */
export type Provider = 'cpu' | 'webgpu' | 'cuda';

export interface ProviderTraits {
  /** In ONNX Runtime's order: a node runs on the first that has a kernel for it. */
  readonly executionProviders: readonly string[];
  /** Weights and slots stay on the device from step to step. The CUDA provider's interface to Node has no such tensors. */
  readonly resident: boolean;
  /** Rewrite rules that do not pay there, or do not work. */
  readonly without: readonly string[];
}

/** Rules that go by which of the CPU kernels is fast. */
const forCpuKernels = ['weightGradients', 'columnSums'];

export const providers: Readonly<Record<Provider, ProviderTraits>> = {
  cpu: { executionProviders: ['cpu'], resident: false, without: [] },
  webgpu: {
    executionProviders: ['webgpu', 'cpu'],
    resident: true,
    // The first two make FusedMatMul, which the provider lacks; the third a Split of more parts than a shader may write.
    without: ['foldTransposes', 'foldScales', 'flatUpdates', ...forCpuKernels],
  },
  cuda: { executionProviders: ['cuda', 'cpu'], resident: false, without: forCpuKernels },
};

export const providerNames = Object.keys(providers) as readonly Provider[];
