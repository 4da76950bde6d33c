import type { JsonObject } from "../../kubernetes/index.ts";

/**
 * The release of Kubernetes whose behaviour this is, in the shape and with the values that it answers itself:
 * clients compare versions, and print them.
 */
export const VERSION: JsonObject = {
  major: "1",
  minor: "36",
  emulationMajor: "1",
  emulationMinor: "36",
  minCompatibilityMajor: "1",
  minCompatibilityMinor: "35",
  gitVersion: "v1.36.2",
  gitCommit: "$Format:%H$",
  gitTreeState: "",
  buildDate: "1970-01-01T00:00:00Z",
  goVersion: "go1.27.3",
  compiler: "gc",
  platform: "linux/amd64",
};
