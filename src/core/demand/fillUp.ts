// A run that fills up: much has entered, nothing arrives. The pure judgement of where it sits and what probably holds it.
import type { Place } from './place.js';

/** The text of the warning. `entered` samples came in since anything last arrived. */
export function fillUpWarning(entered: number, places: readonly Pick<Place, 'name' | 'emitted' | 'received' | 'isSource' | 'next'>[]): string {
  const sources = places.filter((place) => place.isSource);
  const counts = sources.map((place) => place.emitted);
  const unequal = sources.length > 1 && Math.max(...counts) > 2 * Math.min(...counts) + 100;
  let where = '';
  let most = 0;
  for (const place of places) {
    for (const next of place.next) {
      const lost = place.emitted - next.received;
      if (lost > most) {
        most = lost;
        where = ` between ${place.name} and ${next.name}`;
      }
    }
  }
  const likely = unequal
    ? `The sources run at unequal speed, so a zip or combineLatest probably collects the faster one's items: use zipBounded`
    : 'A concatMap or mergeMap over slow inner work (use mergeMapBounded), an unbounded buffer or toArray (use bufferBounded or batch), or a filter that lets almost nothing through (use keep, which reports what it drops) is the likely cause';
  return `${entered.toLocaleString('en')} samples have entered and nothing has arrived${where}. ${likely}. They are kept in memory until it ends.`;
}
