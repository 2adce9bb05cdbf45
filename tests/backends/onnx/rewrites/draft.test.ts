import { describe, expect, it } from 'vitest';
import { Draft } from '../../../../src/backends/onnx/rewrites/draft.js';
import { rule } from '../../../../src/backends/onnx/rewrites/rule.js';
import { Sketch, expectWhole, opsOf } from './sketch.js';

describe('Draft', () => {
  it('knows producers, users and outputs', () => {
    const s = new Sketch();
    const x = s.input([2]);
    const y = s.el('Exp', x);
    const z = s.el('Mul', y, y);
    const draft = new Draft(s.graph(y, z));
    expect(draft.producer(y)?.op).toBe('Exp');
    expect(draft.from(z, 'Add')).toBeUndefined();
    expect([...draft.users(y)].map(({ op }) => op)).toEqual(['Mul']);
    expect([draft.isUsedOnce(x), draft.isUsedOnce(y), draft.isUsedOnce(z), draft.isOutput(y)]).toEqual([true, false, false, true]);
  });

  it('removes at once what nobody reads any more', () => {
    const s = new Sketch();
    const x = s.input([2]);
    const y = s.el('Exp', s.el('Neg', x));
    const draft = new Draft(s.graph(s.el('Add', y, x)));
    draft.replace(y, x);
    expect(draft.users(x).size).toBe(1);
    const graph = draft.finish();
    expect(opsOf(graph)).toEqual(['Add']);
    expect([...graph.values.keys()].sort()).toEqual(['in0', 'v2_0']);
    expectWhole(graph);
  });

  it('puts new nodes before their readers, keeps outputs and never edits the graph that it was given', () => {
    const s = new Sketch();
    const x = s.input([2]);
    const y = s.el('Exp', x);
    const before = s.graph(s.el('Log', y), y);
    const copy = structuredClone(before.nodes);
    const draft = new Draft(before);
    draft.replace(y, draft.add('Abs', [draft.add('Neg', [x], [2])], [2]));
    const after = draft.finish();
    expect(opsOf(after)).toEqual(['Neg', 'Abs', 'Log']);
    expect(after.outputs.get('out1')).toBe(after.nodes[1]?.outputs[0]);
    expectWhole(after);
    expect(before.nodes).toEqual(copy);
  });

  it('makes one constant of equal ones, and keeps 0 and −0 apart', () => {
    const s = new Sketch();
    const draft = new Draft(s.graph(s.input([2])));
    expect(draft.scalar(3)).toBe(draft.scalar(3));
    expect(draft.scalar(0)).not.toBe(draft.scalar(-0));
    expect(draft.number(draft.addConstant(new Float32Array(5).fill(7), [5], 'float32'))).toBe(7);
    expect(draft.number(draft.indices([1, 2]))).toBeUndefined();
    expect(draft.integers(draft.indices([1, 2]))).toEqual([1, 2]);
  });

  it('refuses a cycle', () => {
    const s = new Sketch();
    const x = s.input([2]);
    const y = s.el('Exp', x);
    const draft = new Draft(s.graph(s.el('Neg', y)));
    draft.reconnect(draft.producer(y)!, [draft.add('Abs', [y], [2])]);
    expect(() => draft.finish()).toThrow(/a rule made a cycle at/);
  });

  it('a rule that does nothing answers the very graph, also the second time', () => {
    const s = new Sketch();
    const graph = s.graph(s.el('Exp', s.input([2])));
    const seen: string[] = [];
    const look = rule((draft) => {
      for (const { op } of draft.nodes()) seen.push(op);
    });
    expect(look(graph)).toBe(graph);
    expect(look(graph)).toBe(graph);
    expect(seen).toEqual(['Exp', 'Exp']);
  });
});
