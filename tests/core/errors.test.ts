import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MaskflowError, inStage, show } from '../../src/core/errors.js';

describe('MaskflowError', () => {
  it('assembles its message from the parts that there are', () => {
    expect(new MaskflowError({ rule: 'must hold' }).message).toBe('must hold.');
    expect(new MaskflowError({ stage: 'mask', rule: 'must hold' }).message).toBe('mask: must hold.');
    expect(new MaskflowError({ option: 'seed', rule: 'must hold', value: -1 }).message).toBe('seed: must hold; got -1.');
    expect(
      new MaskflowError({
        stage: 'arrow',
        option: 'column',
        where: 'digits.arrow, row 7',
        rule: 'there is no such column',
        value: 'imgae',
        hint: 'Did you mean image?',
      }).message,
    ).toBe('arrow.column: there is no such column; got "imgae" (digits.arrow, row 7). Did you mean image?');
  });
  it('says that undefined came where the value is given, and nothing where it is not', () => {
    expect(new MaskflowError({ rule: 'r', value: undefined }).message).toBe('r; got undefined.');
  });
  it('is an Error with a name, a stage and a cause', () => {
    const cause = new Error('inner');
    const error = new MaskflowError({ stage: 'train', rule: 'r', cause });
    expect(error).toBeInstanceOf(Error);
    expect(error.name).toBe('MaskflowError');
    expect(error.stage).toBe('train');
    expect(error.cause).toBe(cause);
    expect('cause' in new MaskflowError({ rule: 'r' })).toBe(false);
  });
});

describe('show', () => {
  it.each<[unknown, string]>([
    ['a"b', '"a\\"b"'],
    [1.5, '1.5'],
    [Number.NaN, 'NaN'],
    [null, 'null'],
    [undefined, 'undefined'],
    [true, 'true'],
    [10n, '10n'],
    [new Float32Array(3), 'Float32Array of 3'],
    [new DataView(new ArrayBuffer(5)), 'DataView of 5'],
    [function named() {}, 'function named'],
    [() => {}, 'function (anonymous)'],
    [{ a: 1 }, '{"a":1}'],
    [[1, 2], '[1,2]'],
    [Symbol('s'), 'Symbol(s)'],
    [{ big: 1n }, '[object Object]'],
  ])('%# shows %s as it should be read', (value, text) => expect(show(value)).toBe(text));
  it('is never long and never throws, whatever came', () => {
    const circle: Record<string, unknown> = {};
    circle.self = circle;
    expect(show(circle)).toBe('[object Object]');
    fc.assert(
      fc.property(fc.anything({ withBigInt: true, withTypedArray: true, withNullPrototype: true }), (value) => {
        expect(show(value).length).toBeLessThan(500);
      }),
    );
    expect(show('x'.repeat(1000)).length).toBeLessThan(90);
    expect(show({ text: 'x'.repeat(1000) }).length).toBeLessThan(130);
  });
});

describe('inStage', () => {
  it('turns any thrown thing into an error of the stage, with its cause', () => {
    const cause = new Error('disk full.');
    const error = inStage('checkpoint', cause, 'step 3');
    expect(error.message).toBe('checkpoint: disk full (step 3).');
    expect(error.cause).toBe(cause);
    expect(inStage('a', 'text').message).toBe('a: text.');
    expect(inStage('a', undefined).message).toBe('a: undefined.');
  });
  it('adds stage and place to an error that has none', () => {
    const error = inStage('mask', new MaskflowError({ option: 'ratio', rule: 'r', value: 2, hint: 'H.' }), 'sample 4, epoch 0');
    expect(error.message).toBe('mask.ratio: r; got 2 (sample 4, epoch 0). H.');
    expect(error.stage).toBe('mask');
  });
  it('keeps an error that names its stage, and adds the place where it is unknown', () => {
    const named = new MaskflowError({ stage: 'decode', rule: 'r' });
    expect(inStage('batch', named)).toBe(named);
    expect(inStage('batch', named, 'sample 1').message).toBe('decode: r (sample 1).');
    const placed = new MaskflowError({ stage: 'decode', where: 'a.jpg', rule: 'r' });
    expect(inStage('batch', placed, 'sample 1')).toBe(placed);
  });
  it('keeps stack and cause when it adds', () => {
    const cause = new Error('inner');
    const bare = new MaskflowError({ rule: 'r', cause });
    const error = inStage('mask', bare);
    expect(error.stack).toBe(bare.stack);
    expect(error.cause).toBe(cause);
  });
});
