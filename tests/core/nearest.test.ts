import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { nearest } from '../../src/core/nearest.js';

const names = ['epochs', 'batchSize', 'ratio', 'color', 'learningRate'];

describe('nearest', () => {
  it.each([
    ['epoch', 'epochs'],
    ['batchsize', 'batchSize'],
    ['BATCHSIZE', 'batchSize'],
    ['raito', 'ratio'],
    ['colour', 'color'],
    ['learning_rate', 'learningRate'],
  ])('%s → %s', (typed, meant) => expect(nearest(typed, names)).toBe(meant));
  it('names nothing where nothing is near', () => {
    expect(nearest('prefetch', names)).toBeUndefined();
    expect(nearest('ratio', [])).toBeUndefined();
  });
  it('finds every name after one typing error', () => {
    fc.assert(
      fc.property(fc.constantFrom(...names), fc.nat(), fc.constantFrom('x', '', 'q'), (name, where, put) => {
        const at = where % name.length;
        expect(nearest(name.slice(0, at) + put + name.slice(at + 1), names)).toBe(name);
      }),
    );
  });
  it('takes the first of equally near ones, and the exact one before all', () => {
    expect(nearest('mask', ['masks', 'mast'])).toBe('masks');
    expect(nearest('mask', ['masks', 'mask'])).toBe('mask');
  });
});
