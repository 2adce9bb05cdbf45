// On what a WebGPU device of ONNX Runtime computes. Its interface does not tell, so that it is seen by what the process has
// opened: the file of a GPU's device, and the driver. What cannot be seen counts as software: a GPU must show itself.
import { readFileSync, readdirSync, readlinkSync } from 'node:fs';

/** What a process has opened. */
export interface Opened {
  readonly platform: string;
  /** Paths of its native libraries. */
  readonly libraries: readonly string[];
  /** Paths of device files; Linux alone. */
  readonly devices: readonly string[];
}

export interface GpuInUse {
  /** `Vulkan, SwiftShader`. */
  readonly name: string;
  /** It computes on the CPU, or nothing shows that it does not. */
  readonly software: boolean;
}

const hardware: readonly (readonly [string, RegExp])[] = [
  ['NVIDIA', /libGLX_nvidia|libnvidia-(?:vulkan|glcore|eglcore)|nvwgf2um|nvldumd/i],
  ['AMD', /libvulkan_radeon|amdvlk|amdxc64/i],
  ['Intel', /libvulkan_intel|igd1[02]um|igc64/i],
  ['Qualcomm', /libvulkan_(?:freedreno|adreno)|qcdx/i],
  ['Arm', /libvulkan_pan|libmali/i],
  ['Apple', /libvulkan_asahi/i],
  ['Broadcom', /libvulkan_broadcom/i],
  ['Nouveau', /libvulkan_nouveau/i],
  ['virtual', /libvulkan_(?:virtio|dzn)/i],
];
const software: readonly (readonly [string, RegExp])[] = [
  ['SwiftShader', /vk_swiftshader/i],
  ['llvmpipe', /libvulkan_lvp/i],
  ['WARP', /d3d10warp/i],
];

/** Device files by which a program uses a GPU: NVIDIA's, those of the kernel's own drivers, WSL's. */
const ofGpu = /^\/dev\/(?:nvidia\d+|dri\/(?:renderD|card)\d+|dxg|mali\d+|kgsl-3d\d+)$/;

/** By what a process has opened with its GPU, and what it had open before. */
export function gpuInUse({ platform, libraries, devices }: Opened, before: Opened = { platform, libraries: [], devices: [] }): GpuInUse {
  if (platform === 'darwin') return { name: 'Metal', software: false }; // it has no software adapter
  const named = (table: typeof hardware): string[] => table.filter(([, pattern]) => libraries.some((path) => pattern.test(path))).map(([name]) => name);
  const fresh = devices.filter((path) => !before.devices.includes(path) && ofGpu.test(path));
  const drivers = named(hardware);
  const real = platform === 'win32' ? drivers.length > 0 : fresh.length > 0;
  // Vulkan's loader opens the drivers that are installed; the device tells NVIDIA's from the others.
  const fitting = fresh.some((path) => path.startsWith('/dev/nvidia'))
    ? ['NVIDIA']
    : platform === 'win32'
      ? drivers
      : drivers.filter((name) => name !== 'NVIDIA');
  const names = real ? fitting : named(software);
  return { name: [platform === 'win32' ? 'Direct3D 12' : 'Vulkan', names.join(' or ') || 'unknown driver'].join(', '), software: !real };
}

/** What this process has opened by now. */
export function opened(platform: string = process.platform): Opened {
  if (platform === 'linux') return { platform, libraries: mapped(), devices: openFiles() };
  if (platform !== 'win32') return { platform, libraries: [], devices: [] };
  const { sharedObjects } = process.report.getReport() as unknown as { sharedObjects: string[] };
  return { platform, libraries: sharedObjects, devices: [] };
}

function mapped(): string[] {
  const paths = readFileSync('/proc/self/maps', 'utf8').matchAll(/\s(\/\S.*\.so\S*)$/gm);
  return [...new Set([...paths].map(([, path]) => path as string))];
}

function openFiles(): string[] {
  return readdirSync('/proc/self/fd').flatMap((number) => {
    try {
      return [readlinkSync(`/proc/self/fd/${number}`)];
    } catch {
      return []; // closed meanwhile
    }
  });
}
