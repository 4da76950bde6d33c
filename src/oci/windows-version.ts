/** Which Windows images a Windows host can run. */

/** Major, minor, build. */
export type WindowsVersion = readonly [number, number, number];

const UNKNOWN: WindowsVersion = [0, 0, 0];

/** Long-term releases whose images newer hosts go on running, oldest first. */
const LONG_TERM_BUILDS = [20348, 26100] as const;

/** The first three numbers of `10.0.20348.1`; zeros for what can't be read. */
export function parseWindowsVersion(text: string): WindowsVersion {
  const [major, minor, build] = text
    .split(".", 3)
    .map((part) => (/^\d{1,9}$/.test(part) ? Number(part) : NaN));
  if (major === undefined || minor === undefined || build === undefined) return UNKNOWN;
  return Number.isNaN(major + minor + build) ? UNKNOWN : [major, minor, build];
}

/**
 * Whether a host runs images of a version. Before Windows Server 2022 the builds must be equal; since then a host
 * also runs images down to the long-term release before its own newest.
 */
export function isWindowsCompatible(host: WindowsVersion, image: WindowsVersion): boolean {
  if (host[0] !== image[0] || host[1] !== image[1]) return false;
  if (host[2] < LONG_TERM_BUILDS[0]) return host[2] === image[2];
  const newest = LONG_TERM_BUILDS.findLastIndex((build) => build <= host[2]);
  const floor = LONG_TERM_BUILDS[Math.max(0, newest - 1)] ?? LONG_TERM_BUILDS[0];
  return floor <= image[2] && image[2] <= host[2];
}

/** {@link isWindowsCompatible} for `os.version` texts; an unknown side is no obstacle. */
export function matchesWindowsVersion(host: string, image: string): boolean {
  const version = parseWindowsVersion(host);
  if (image === "" || version.every((part) => part === 0)) return true;
  return isWindowsCompatible(version, parseWindowsVersion(image));
}
