/**
 * The command that brings packages of these versions, without their install scripts. In a checkout of maskflow itself npm
 * passes over its optional peers, unless it is told to install and save nothing.
 *
 * @param from URL of the asking module's file; given by tests
 * @example
 * installCommand({ webgpu: '0.6.2' }); // npm install --ignore-scripts webgpu@0.6.2
 */
export function installCommand(packages: Readonly<Record<string, string>>, from: string = import.meta.url): string {
  const specs = Object.entries(packages).map(([name, version]) => `${name}@${version}`);
  return ['npm install', ...(from.includes('/node_modules/') ? [] : ['--no-save --save-prod']), '--ignore-scripts', ...specs].join(' ');
}
