import type { Graph, Rewrite } from '../graph.js';
import { Draft } from './draft.js';

/** Drafts that a rule left as they were: the next rule on the same graph need not index it again. */
const drafts = new WeakMap<Graph, Draft>();

/** A rule, given what it does to a draft. A graph on which it finds nothing to do comes back itself. */
export function rule(change: (draft: Draft) => void): Rewrite {
  return (graph) => {
    const draft = drafts.get(graph) ?? new Draft(graph);
    drafts.delete(graph);
    change(draft);
    if (draft.changed) return draft.finish();
    drafts.set(graph, draft);
    return graph;
  };
}
