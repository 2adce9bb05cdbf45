// What all text sources share: their options, what a record becomes, and how a record that cannot be used is told.
import { isUtf8 } from 'node:buffer';
import { MaskflowError } from '../../core/errors.js';
import { check, checkInteger } from '../../core/options.js';
import type { BadSampleOptions, BadSamples } from '../arrow/badSamples.js';
import { located } from '../arrow/damaged.js';
import type { TextRecord, Unit } from './records.js';

export interface TextFileOptions extends BadSampleOptions {
  /** Bytes of text kept in memory, least recently used first out. Default 64 MiB. */
  readonly cacheBytes?: number;
}

/** A source of text files: what a record is, and what becomes of it. */
export interface TextFormat<F> {
  readonly stage: string;
  readonly unit: Unit;
  /** Fields of a record's text; throws a MaskflowError whose `where` may name a line, else the record's first is named. */
  readonly parse: (text: string, line: number) => F;
}

/** Bytes of the longest record; a file without line ends must not fill the memory. */
export const longest = 2 ** 26;
export const stdin = '-';

/** Throws unless the options that all text sources share are legal; returns the paths as a list. */
export function checkTextFiles(stage: string, path: string | readonly string[], options: TextFileOptions): readonly string[] {
  const { onBadSample = 'throw', maxBad = 100, cacheBytes = 0 } = options;
  const paths = typeof path === 'string' ? [path] : path;
  const legal = Array.isArray(paths) && paths.length > 0 && paths.every((one) => typeof one === 'string' && one !== '');
  check(legal, stage, 'path', "must name at least one file; '-' is standard input", path);
  check(paths.length === 1 || !paths.includes(stdin), stage, 'path', "must be '-' alone or names of files", path);
  check(onBadSample === 'throw' || onBadSample === 'skip', stage, 'onBadSample', "must be 'throw' or 'skip'", onBadSample);
  checkInteger(stage, 'maxBad', maxBad, 0);
  checkInteger(stage, 'cacheBytes', cacheBytes, 0);
  return paths;
}

/** What every text source's recipe says of its files. */
export function shownFiles(paths: readonly string[], { onBadSample = 'throw', maxBad = 100, cacheBytes = 2 ** 26 }: TextFileOptions): object {
  return { path: paths.length === 1 ? paths[0] : paths, onBadSample, maxBad, cacheBytes };
}

/** The error for a record that is too long, by its line. */
export const tooLong = (file: string) => (line: number) =>
  new MaskflowError({ rule: `a record has more than ${longest / 2 ** 20} MiB`, where: `${file}, line ${line}`, hint: 'Is it text? Break it into lines.' });

/** The fields of a record, or undefined where it is bad and was counted. */
export function fieldsOf<F>({ bytes, line }: TextRecord, id: number, file: string, { parse }: TextFormat<F>, bad: BadSamples): F | undefined {
  try {
    const start = line === 1 && bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf ? 3 : 0;
    if (!isUtf8(bytes)) throw new MaskflowError({ rule: 'a sample cannot be used: it is not valid UTF-8' });
    return parse(Buffer.from(bytes.buffer, bytes.byteOffset + start, bytes.byteLength - start).toString('utf8'), line);
  } catch (error) {
    const { problem } = located(error, '');
    const where = `${file}, ${problem.where === undefined || problem.where === '' ? `line ${line}` : problem.where}`;
    bad.report(id, new MaskflowError({ hint: "Correct the file, or leave such samples out: { onBadSample: 'skip' }.", ...problem, where }));
    return undefined;
  }
}

/** The error for files without a record. */
export const noRows = (files: readonly string[]): MaskflowError =>
  new MaskflowError({ rule: 'the data set has no rows', where: files.join(', '), hint: 'Check the path and how the files were written.' });
