import { describe, expect, it } from 'vitest';
import { MaskflowError } from '../../src/core/errors.js';
import { check, checkInteger, checkOptions } from '../../src/core/options.js';

const message = (work: () => void): string => {
  try {
    work();
  } catch (error) {
    expect(error).toBeInstanceOf(MaskflowError);
    return (error as Error).message;
  }
  return 'no error';
};

describe('options', () => {
  it('passes known options and no options', () => {
    checkOptions('mask', { ratio: 0.5 }, ['ratio', 'name']);
    checkOptions('mask', {}, []);
  });
  it('names the nearest known option, or all of them', () => {
    expect(message(() => checkOptions('mask', { raito: 0.5 }, ['name', 'ratio']))).toBe('mask.raito: there is no such option. Did you mean ratio?');
    expect(message(() => checkOptions('mask', { somethingElse: 1 }, ['name', 'ratio']))).toBe(
      'mask.somethingElse: there is no such option. Known: name, ratio.',
    );
  });
  it('does not take what every object inherits for an option', () => {
    expect(message(() => checkOptions('mask', JSON.parse('{"toString": 1}'), ['ratio']))).toMatch(/^mask\.toString: there is no such option/);
  });
  it('check states stage, option, rule, value and hint', () => {
    check(true, 's', 'o', 'must hold', 1);
    expect(message(() => check(false, 'mask', 'ratio', 'must lie in [0, 1]', 1.5, 'Try 0.75.'))).toBe('mask.ratio: must lie in [0, 1]; got 1.5. Try 0.75.');
    expect(message(() => check(false, 'mask', 'ratio', 'must lie in [0, 1]', undefined))).toBe('mask.ratio: must lie in [0, 1]; got undefined.');
  });
  it.each([
    [1, 1],
    [7, 1],
    [0, 0],
    [-3, -5],
  ])('checkInteger takes %i with least %i', (value, least) => checkInteger('s', 'o', value, least));
  it.each([
    [0, 1],
    [1.5, 1],
    ['1', 1],
    [Number.NaN, 0],
    [undefined, 0],
    [Number.POSITIVE_INFINITY, 0],
  ])('checkInteger refuses %s with least %i', (value, least) => {
    expect(message(() => checkInteger('batch', 'size', value, least))).toMatch(new RegExp(`^batch\\.size: must be an integer of at least ${least}; got `));
  });
});
