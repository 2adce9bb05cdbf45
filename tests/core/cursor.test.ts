import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { Origin } from '../../src/core/batch.js';
import { Cursor } from '../../src/core/cursor.js';

const origin = (position: number, source = 0): Origin => ({ source, id: position, epoch: 0, position });
const positions = (cursor: Cursor, source = 0): number[] =>
  cursor
    .settled(source)
    .toJSON()
    .flatMap(([from, to]) => Array.from({ length: to - from }, (_, i) => from + i));

describe('Cursor', () => {
  it('settles a drop with the item that carried it, and with its carrier in turn', () => {
    const cursor = new Cursor();
    const [a, b, c, d, e] = [0, 1, 2, 3, 4].map((p) => origin(p)) as [Origin, Origin, Origin, Origin, Origin];
    cursor.attach(c, [a, b]);
    cursor.attach(e, [d]);
    cursor.attach(e, [c]);
    cursor.attach(e, []);
    expect(positions(cursor)).toEqual([]);
    cursor.settle([e]);
    expect(positions(cursor)).toEqual([0, 1, 2, 3, 4]);
  });
  it('knows items by identity: an equal origin made anew carries nothing', () => {
    const cursor = new Cursor();
    cursor.attach(origin(5), [origin(4)]);
    cursor.settle([origin(5)]);
    expect(positions(cursor)).toEqual([5]);
  });
  it('settling twice changes nothing (padded rows repeat an origin)', () => {
    const cursor = new Cursor();
    const last = origin(3);
    cursor.settle([last, last, last]);
    cursor.settle([last]);
    expect(cursor.toJSON()).toEqual({ sources: [{ next: 4, open: [[0, 3]] }] });
  });
  it('writes open ranges below `next`, per source, also for a source that settled nothing', () => {
    const cursor = new Cursor();
    cursor.settle([0, 1, 4, 5, 8].map((p) => origin(p, 1)));
    expect(cursor.toJSON()).toEqual({
      sources: [
        { next: 0, open: [] },
        {
          next: 9,
          open: [
            [2, 4],
            [6, 8],
          ],
        },
      ],
    });
  });
  it('follows an oracle through any story of drops and settling, and survives JSON at any moment', () => {
    // A story: items 0 … n − 1 of two sources; some are dropped and ride on a later item; some of the rest settle.
    const item = fc.record({ source: fc.integer({ min: 0, max: 1 }), dropped: fc.boolean(), settles: fc.boolean() });
    fc.assert(
      fc.property(fc.array(item, { maxLength: 60 }), fc.nat(60), (story, moment) => {
        let cursor = new Cursor();
        const oracle: Set<number>[] = [new Set(), new Set()];
        const next = [0, 0];
        let waiting: Origin[] = [];
        story.forEach(({ source, dropped, settles }, i) => {
          const made = origin(next[source] as number, source);
          next[source] = (next[source] as number) + 1;
          // What waits is attached by identity and is lost with the process: it stays open, as it must.
          if (i === moment) {
            cursor = new Cursor(JSON.parse(JSON.stringify(cursor)));
            waiting = [];
          }
          if (dropped) {
            waiting.push(made);
            return;
          }
          cursor.attach(made, waiting);
          if (settles) {
            cursor.settle([made]);
            for (const { source: s, position } of [made, ...waiting]) (oracle[s] as Set<number>).add(position);
          }
          waiting = [];
        });
        for (const source of [0, 1]) expect(positions(cursor, source)).toEqual([...(oracle[source] as Set<number>)].sort((a, b) => a - b));
        expect(new Cursor(JSON.parse(JSON.stringify(cursor))).toJSON()).toEqual(cursor.toJSON());
      }),
      { numRuns: 300 },
    );
  });
});
