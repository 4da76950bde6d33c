/** Entries of a map that grows with the hosts and repositories met; a long-lived node meets many. */
const CAPACITY = 1000;

/** Sets an entry, forgetting the one set longest ago when there are too many. */
export function setBounded<V>(map: Map<string, V>, key: string, value: V): void {
  map.delete(key);
  map.set(key, value);
  const [oldest] = map.keys();
  if (map.size > CAPACITY && oldest !== undefined) map.delete(oldest);
}
