import { readFileSync } from "node:fs";

/** What this process may do to files. */
export interface Powers {
  /** Whether permission bits don't keep it out, and owners can be given. */
  readonly privileged: boolean;
  /** Whether it may make devices: root may, but not inside a user namespace. */
  readonly devices: boolean;
  readonly uid: number;
  readonly gid: number;
}

export function currentPowers(): Powers {
  const uid = process.geteuid?.() ?? 0;
  const privileged = uid === 0;
  return { privileged, devices: privileged && !inUserNamespace(), uid, gid: process.getegid?.() ?? 0 };
}

/** Outside of one, all ids stand for themselves. */
function inUserNamespace(): boolean {
  try {
    return !/^\s*0\s+0\s+4294967295\s*$/.test(readFileSync("/proc/self/uid_map", "latin1"));
  } catch {
    return false;
  }
}
