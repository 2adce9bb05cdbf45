// JSON Lines: typed members, and every way in which a line may be wrong.
import { describe, expect, expectTypeOf, it } from 'vitest';
import { lastValueFrom } from 'rxjs';
import { batch } from '../../src/operators/batch.js';
import { epochs } from '../../src/operators/epochs.js';
import { shuffle } from '../../src/operators/shuffle.js';
import { jsonl } from '../../src/sources/jsonl.js';
import { all, failure, temporaryFolder, write } from './arrowFiles.js';

const folder = temporaryFolder();
const file = (name: string, lines: readonly string[]): string => write(folder, name, new TextEncoder().encode(lines.join('\n')));

describe('jsonl', () => {
  const path = file('rows.jsonl', [
    '{"text":"a","label":1,"tags":["x","y"],"extra":{"n":[1]}}',
    '',
    '{"label":2.5,"text":"b\\n\\u00e9","tags":[],"extra":null}',
    '{"text":"c","label":-1,"tags":["z"],"extra":3}',
  ]);

  it('gives the members that are named, with their types', async () => {
    const rows = await all(jsonl(path, { fields: { text: 'string', label: 'number', tags: 'strings', extra: 'json' } }));
    expectTypeOf(rows[0]!.fields).toEqualTypeOf<{ readonly text: string; readonly label: number; readonly tags: readonly string[]; readonly extra: unknown }>();
    expect(rows.map(({ fields }) => fields)).toEqual([
      { text: 'a', label: 1, tags: ['x', 'y'], extra: { n: [1] } },
      { text: 'b\né', label: 2.5, tags: [], extra: null },
      { text: 'c', label: -1, tags: ['z'], extra: 3 },
    ]);
    const { columns } = await lastValueFrom(jsonl(path, { fields: { text: 'string', label: 'number' } }).pipe(batch(3)));
    expect(columns.label.data).toEqual(Float32Array.of(1, 2.5, -1));
  });

  it('gives all members without names, in any order asked for', async () => {
    const rows = await all(jsonl<{ text: string }>(path).pipe(epochs(2), shuffle()));
    expect(rows.map(({ fields }) => fields.text).sort()).toEqual(['a', 'a', 'b\né', 'b\né', 'c', 'c']);
    expect(Object.keys(rows[0]!.fields).sort()).toEqual(['extra', 'label', 'tags', 'text']);
  });

  it.each([
    ['{"text":"a"', /it is no JSON: .* \(.*wrong\.jsonl, line 2\)/u],
    ['[1]', /a line must be a JSON object; got \[1\] \(.*line 2\)/u],
    ['null', /a line must be a JSON object; got null/u],
    ['{"txt":"a"}', /it has no member "text" \(it has "txt"\); got \["txt"\] \(.*line 2\)/u],
    ['{"text":null}', /its member "text" must be of type string; got null/u],
    ['{"text":["a"]}', /its member "text" must be of type string/u],
  ])('says what is wrong with %s', async (line, message) => {
    const wrong = file('wrong.jsonl', ['{"text":"fine"}', line, '{"text":"too"}']);
    const fields = { text: 'string' } as const;
    expect((await failure(jsonl(wrong, { fields }))).message).toMatch(message);
    const rest = await all(jsonl(wrong, { fields, onBadSample: 'skip', onSkip: () => {} }));
    expect(rest.map(({ fields: { text } }) => text)).toEqual(['fine', 'too']);
  });

  it('takes no member from a prototype, and refuses types that are none', async () => {
    const odd = file('odd.jsonl', ['{"__proto__":{"text":"x"}}']);
    expect((await failure(jsonl(odd, { fields: { text: 'string' } }))).message).toContain('it has no member "text"');
    expect(() => jsonl(path, { fields: { text: 'str' } } as never)).toThrow(
      'jsonl.fields.text: must be one of string, number, boolean, strings, numbers, json; got "str"',
    );
    expect(() => jsonl(path, { fields: {} })).toThrow('jsonl.fields: must name at least one field');
  });
});
