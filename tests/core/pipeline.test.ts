import { EMPTY } from 'rxjs';
import { describe, expect, it } from 'vitest';
import { pipeline, resolveOptions } from '../../src/core/pipeline.js';

const defaults = { epochs: 20, steps: Number.POSITIVE_INFINITY, color: 'green', resume: false };

describe('pipeline', () => {
  it('keeps its defaults and its function', () => {
    const made = pipeline(defaults, () => EMPTY);
    expect(made.kind).toBe('maskflow.pipeline');
    expect(made.defaults).toEqual(defaults);
    expect(made.build({ ...defaults, prepare: async () => '', prepared: () => '', out: () => '' })).toBe(EMPTY);
  });
  it('refuses defaults that no command line can give', () => {
    expect(() => pipeline({ sizes: [1, 2] as never }, () => EMPTY)).toThrow('pipeline.sizes: a default must be a number, a string or a boolean; got [1,2].');
  });
});

describe('resolveOptions', () => {
  it('reads text as the type of the default', () => {
    expect(resolveOptions(defaults, {})).toEqual(defaults);
    expect(resolveOptions(defaults, { epochs: ' 1e1 ', steps: '5', color: '7', resume: 'true' })).toEqual({ epochs: 10, steps: 5, color: '7', resume: true });
    expect(resolveOptions(defaults, { epochs: 3, resume: true, steps: 'Infinity' })).toEqual({ ...defaults, epochs: 3, resume: true });
  });
  it('does not change the defaults', () => {
    resolveOptions(defaults, { epochs: 1 });
    expect(defaults.epochs).toBe(20);
  });
  it.each<[Record<string, unknown>, string]>([
    [{ epoch: 3 }, 'pipeline.epoch: there is no such option. Did you mean epochs? Options: epochs=20, steps=none, color=green, resume=false.'],
    [{ temperature: 3 }, 'pipeline.temperature: there is no such option. Options: epochs=20, steps=none, color=green, resume=false.'],
    [{ epochs: 'many' }, 'pipeline.epochs: must be a number; got "many". Its default is 20.'],
    [{ epochs: '' }, 'pipeline.epochs: must be a number; got "". Its default is 20.'],
    [{ epochs: Number.NaN }, 'pipeline.epochs: must be a number; got NaN. Its default is 20.'],
    [{ epochs: 'NaN' }, 'pipeline.epochs: must be a number; got "NaN". Its default is 20.'],
    [{ resume: 'yes' }, 'pipeline.resume: must be a boolean; got "yes". Its default is false.'],
    [{ color: 3 }, 'pipeline.color: must be a string; got 3. Its default is green.'],
  ])('refuses %j', (given, message) => expect(() => resolveOptions(defaults, given)).toThrow(message));
  it('does not take what every object inherits for an option', () => {
    expect(() => resolveOptions(defaults, { toString: 'x' } as never)).toThrow('pipeline.toString: there is no such option');
  });
});
