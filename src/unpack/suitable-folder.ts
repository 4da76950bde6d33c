import { existsSync, lstatSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { UnpackError } from "./errors.ts";

/** Precomposed, and with letters of both cases. */
const PROBE = "Pr\u00f6be";

/**
 * Refuses folders where two names of a layer could mean one file: on file systems that don't tell `README` from
 * `readme`, or change how letters are composed, an entry could replace another that was checked before.
 *
 * @throws UnpackError `FOLDER_UNSUITABLE`
 */
export function assertSuitable(folder: string): void {
  if (process.platform !== "linux") {
    throw unsuitable(folder, "layers are unpacked on Linux only, where folders have handles");
  }
  if (!existsSync("/proc/self/fd")) throw unsuitable(folder, "/proc is not mounted");
  const probe = mkdtempSync(join(folder, ".dray-probe-"));
  try {
    writeFileSync(join(probe, PROBE), "");
    for (const other of [PROBE.toUpperCase(), PROBE.normalize("NFD")]) {
      if (lstatSync(join(probe, other), { throwIfNoEntry: false }) !== undefined) {
        throw unsuitable(folder, "its file system takes different names for the same");
      }
    }
  } finally {
    rmSync(probe, { recursive: true, force: true });
  }
}

function unsuitable(folder: string, why: string): UnpackError {
  return new UnpackError("FOLDER_UNSUITABLE", `Cannot unpack into ${JSON.stringify(folder)}: ${why}`);
}
