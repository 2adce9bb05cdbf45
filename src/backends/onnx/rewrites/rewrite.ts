// The rules between trace and session, in their order. Each is a pure function of a graph; together they do what ONNX
// Runtime's own optimiser would and what it cannot. It runs with its optimisations off: they would undo some of these.
import type { Graph, Rewrite } from '../graph.js';
import { columnSums } from './columnSums.js';
import { dropNoOps } from './dropNoOps.js';
import { flatUpdates } from './flatUpdates.js';
import { foldAddends } from './foldAddends.js';
import { foldConstants } from './foldConstants.js';
import { foldNorms } from './foldNorms.js';
import { foldScales } from './foldScales.js';
import { foldTransposes } from './foldTransposes.js';
import { gelu } from './gelu.js';
import { joinSlices } from './joinSlices.js';
import { layerNorm } from './layerNorm.js';
import { layerNormGradient } from './layerNormGradient.js';
import { mergeEqual } from './mergeEqual.js';
import { mergeMoves } from './mergeMoves.js';
import { mergeScalars } from './mergeScalars.js';
import { mergeSquares } from './mergeSquares.js';
import { nameOutputs } from './nameOutputs.js';
import { rowsAsMatrix } from './rowsAsMatrix.js';
import { shrinkBroadcasts } from './shrinkBroadcasts.js';
import { squareSums } from './squareSums.js';
import { weightGradients } from './weightGradients.js';

type Table = Readonly<Record<string, Rewrite>>;

/** What makes a graph canonical; the others count on it. */
const tidy: Table = { foldConstants, dropNoOps, mergeMoves, shrinkBroadcasts, mergeScalars, rowsAsMatrix, mergeEqual };
const layers: Table = { layerNorm, layerNormGradient, gelu };
const products: Table = { foldTransposes, foldScales, foldAddends };
/** Between layers and their products: needs both as those rules leave them. */
const across: Table = { foldNorms };
/** Forms that are faster to run and harder to read: each applied once, at the end, for the rules above would not know them. */
const forms: Table = { columnSums, weightGradients, flatUpdates, squareSums, mergeSquares, joinSlices };
/** What those leave behind is swept up by rules that undo none of them. */
const sweep: Table = { mergeMoves, dropNoOps, mergeEqual };

/** All rules, by name, in their order. */
export const rules: Table = { ...tidy, ...layers, ...products, ...across, ...forms, nameOutputs };

/** Rounds after which the rest stays as it is; a step takes about five. */
const ROUNDS = 20;

export interface RewriteOptions {
  /** Names of rules to leave out: for measuring what one is worth, and for debugging. */
  readonly without?: readonly string[];
}

/**
 * A graph that computes the same outputs from the same inputs, up to rounding, in fewer and faster operations.
 *
 * @throws where `without` names no rule
 */
export function rewrite(graph: Graph, options: RewriteOptions = {}): Graph {
  const { without = [] } = options;
  const unknown = without.find((name) => !(name in rules));
  if (unknown !== undefined) throw new Error(`there is no rewrite rule ${unknown}; rules: ${Object.keys(rules).join(', ')}`);
  const wanted = (table: Table): Rewrite[] => Object.entries(table).flatMap(([name, rewrite]) => (without.includes(name) ? [] : [rewrite]));
  let current = graph;
  for (const stage of [tidy, { ...layers, ...tidy }, { ...products, ...tidy }, { ...across, ...products, ...tidy }])
    current = untilStill(current, wanted(stage));
  for (const stage of [forms, sweep, { nameOutputs }]) for (const rewrite of wanted(stage)) current = rewrite(current);
  return current;
}

/** Applies the rules in turn until none finds anything. */
function untilStill(graph: Graph, stage: readonly Rewrite[]): Graph {
  let current = graph;
  /** Rules in a row that found nothing; all of them: that is all. */
  let still = 0;
  for (let turn = 0; turn < ROUNDS * stage.length && still < stage.length; turn++) {
    const next = (stage[turn % stage.length] as Rewrite)(current);
    still = next === current ? still + 1 : 0;
    current = next;
  }
  return current;
}
