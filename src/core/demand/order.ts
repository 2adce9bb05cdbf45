// Order is a value: which sample is served at which position is a pure function of (seed, epoch, length, rank, world).
import type { Key } from '../key.js';
import { fold, permuted } from '../key.js';

/** What `epochs` and `shuffle` ask of the source above them; travels upstream in the ambient value. */
export interface OrderRequest {
  readonly epochs: number;
  /** Undefined = as stored. `buffer` is used by sources without random access only. */
  readonly shuffle?: { readonly buffer: number };
  /** Who asked: each remembers the sources that answered, and refuses samples of any other. */
  readonly scopes: readonly OrderScope[];
}

export interface OrderScope {
  readonly stage: string;
  readonly sources: Set<number>;
}

/** This process's share of the data: every `world`-th position from `rank`. */
export interface Share {
  readonly rank: number;
  readonly world: number;
}

/** Samples that this share serves in one epoch. */
export function served(length: number, { rank, world }: Share = { rank: 0, world: 1 }): number {
  return Math.max(0, Math.ceil((length - rank) / world));
}

/** The id at place `k` of an epoch. `key` is that of the source's order; `shuffled` false = as stored. */
export function epochOrder(key: Key, epoch: number, length: number, shuffled: boolean, { rank, world }: Share = { rank: 0, world: 1 }): (k: number) => number {
  if (!shuffled || length < 2) return (k) => k * world + rank;
  const at = permuted(fold(key, epoch), length);
  return (k) => at(k * world + rank);
}
