/** The last second that times in nanoseconds of 64 bits can tell, as containerd keeps them. */
const LAST = 9_223_372_036;

/**
 * The modification time that an entry gets: times before 1970, or beyond what 64 bits of nanoseconds hold, are 1970.
 *
 * @param seconds as the header has them, with a fraction
 */
export function parseTarTime(seconds: number): number {
  return seconds < 0 || seconds > LAST || Number.isNaN(seconds) ? 0 : seconds;
}
