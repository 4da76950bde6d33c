import {
  type AdmissionPlugin,
  defaultTolerationSeconds,
  priority,
  serviceAccountAdmission,
} from "../admission/index.ts";
import type { ApiClock } from "./clock.ts";
import type { ApiStorage } from "./storage/storage.ts";

/** The steps that every API server takes unless told otherwise, in its order. */
export function standardPlugins(storage: ApiStorage, clock: ApiClock): readonly AdmissionPlugin[] {
  return [
    serviceAccountAdmission({
      accounts: {
        read: async ({ namespace, name }) => {
          const found = await storage.find({ resource: "serviceaccounts", namespace, name });
          return found?.object;
        },
      },
      timing: { sleep: (milliseconds, signal) => clock.wait(milliseconds, signal) },
    }),
    priority,
    defaultTolerationSeconds,
  ];
}
