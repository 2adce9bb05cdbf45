// Packages that a tagger stands on: optional peers, loaded when the tagger is made and not before.
import { createRequire } from 'node:module';
import { MaskflowError } from '../../core/errors.js';

const require = createRequire(import.meta.url);

/** The modules of `versions` (name → the version to install), in that order; one error with the one command where any is missing. */
export function peers(stage: string, versions: Readonly<Record<string, string>>): readonly unknown[] {
  const names = Object.keys(versions);
  try {
    return names.map((name) => require(name) as unknown);
  } catch (cause) {
    const missing = (cause as { code?: string }).code === 'MODULE_NOT_FOUND';
    throw new MaskflowError({
      stage,
      rule: missing ? `needs ${names.join(' and ')}, which ${names.length === 1 ? 'is' : 'are'} not installed` : `${names.join(' and ')} could not be loaded`,
      cause,
      hint: `npm install ${Object.entries(versions)
        .map(([name, version]) => `${name}@${version}`)
        .join(' ')}`,
    });
  }
}

/** The installed version of a package whose package.json can be reached, for fingerprints. */
export function versionOf(name: string): string {
  return (require(`${name}/package.json`) as { version: string }).version;
}
