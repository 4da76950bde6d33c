import type { RegistryContext } from "../context.ts";
import type { RegistryRequest } from "../request.ts";
import type { Admitted } from "./admission.ts";
import type { MirrorPlace } from "./place.ts";

/** One request for something of an upstream, on its way to an answer. */
export interface Asked {
  readonly context: RegistryContext;
  readonly request: RegistryRequest;
  readonly place: MirrorPlace;
  /** The registry that `ns` named; without it the path has the name that the repository has here. */
  readonly ns: string | undefined;
  readonly admitted: Admitted;
}
