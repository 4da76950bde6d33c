import { createHmac, randomBytes } from "node:crypto";

import { Secret } from "../../internal/secret.ts";
import { pullFrom, SEES_ALL } from "../access.ts";
import type { AccessControl, Decision, RepositoryView } from "../access.ts";
import type { RegistryContext } from "../context.ts";
import type { RegistryRequest, RegistryResponse } from "../request.ts";
import { deny } from "../respond.ts";
import type { MirrorPlace } from "./place.ts";
import { Remembered } from "./remembered.ts";
import { isRefusal, type UpstreamCaller, type UpstreamQuery } from "./upstream.ts";

const CAPACITY = 10_000;

/** A request that may go on, and as whom. */
export interface Admitted {
  readonly query: UpstreamQuery;
  /** Tells apart what callers may be told differently: empty where the mirror asks as itself. */
  readonly who: string;
  /** Whether this caller may be given what is here without another question. */
  proven(): boolean;
  /** The upstream just gave this caller something of the repository. */
  prove(): void;
  /** Runs what asks the upstream as this caller; a refusal ends what was proven before. */
  asking<Result>(ask: () => Promise<Result>): Promise<Result>;
}

/**
 * The one access rule, for content that came from elsewhere. Where the mirror has credentials of its own, or none,
 * our policies decide. Where callers bring theirs, content is for whom our policies let without them, and for whom
 * the upstream itself let pull from this very repository a moment ago: what is cached is no reason to show it.
 *
 * A caller's `Authorization` is the upstream's business alone then. Our own access control never sees it: it would
 * count a stranger's password as a guess. And no login of ours ever goes to the upstream.
 */
export class MirrorAdmission {
  readonly #proofs: Remembered<true>;
  readonly #key = randomBytes(32);

  /** `clock` in milliseconds since the epoch. */
  constructor(clock: () => number) {
    this.#proofs = new Remembered(clock, CAPACITY);
  }

  /** Lets a request in, or answers it. */
  async admit(
    context: Pick<RegistryContext, "access">,
    request: RegistryRequest,
    place: MirrorPlace,
  ): Promise<Admitted | RegistryResponse> {
    const wanted = [pullFrom(place.local)];
    const { remote } = place;
    if (place.settings.credentials !== "callers") {
      const decision = await context.access.authorize(request, wanted);
      if (!decision.allowed) return deny(decision, wanted);
      return {
        query: { repository: remote },
        who: "",
        proven: () => true,
        prove: () => {},
        asking: (ask) => ask(),
      };
    }
    const decision = await context.access.authorize(withoutLogin(request), wanted);
    const caller = this.#callerOf(request);
    const key = `${caller.id} ${place.local}`;
    return {
      query: { repository: remote, caller },
      who: caller.id,
      proven: () => decision.allowed || this.#proofs.find(key) === true,
      prove: () => this.#proofs.set(key, true, place.settings.proof),
      asking: async (ask) => {
        try {
          const result = await ask();
          this.#proofs.set(key, true, place.settings.proof);
          return result;
        } catch (error) {
          if (isRefusal(error)) this.#proofs.delete(key);
          throw error;
        }
      },
    };
  }

  #callerOf(request: RegistryRequest): UpstreamCaller {
    const header = request.header("authorization");
    if (header === undefined || header === "") return { id: "anonymous", authorization: undefined };
    // Under a key of this process: the id may end up in keys and logs.
    const id = createHmac("sha256", this.#key).update(header).digest("hex");
    return { id, authorization: new Secret(header) };
  }
}

/**
 * Keeps what callers with credentials of their own brought here from everybody else, where no policies say who may
 * see it: from lists, and from being mounted into another repository.
 */
export function guardAccess(
  access: AccessControl,
  isPrivate: (repository: string) => boolean,
): AccessControl {
  const judge = (decision: Decision): Decision => {
    return decision.allowed && decision.unguarded === true ? UPSTREAM_SAYS : decision;
  };
  const hide = (view: RepositoryView): RepositoryView => {
    return view === SEES_ALL ? { prefixes: [""], sees: (name) => !isPrivate(name) } : view;
  };
  return {
    authorize(request, wanted) {
      const decision = access.authorize(request, wanted);
      if (!wanted.some(({ type, name }) => type === "repository" && isPrivate(name))) return decision;
      return decision instanceof Promise ? decision.then(judge) : judge(decision);
    },
    viewFor(request) {
      const view = access.viewFor(request);
      return view instanceof Promise ? view.then(hide) : hide(view);
    },
    serve: (request) => access.serve?.(request),
    lockedOut: () => access.lockedOut?.() ?? [],
    [Symbol.asyncDispose]: () => access[Symbol.asyncDispose](),
  };
}

const UPSTREAM_SAYS: Decision = {
  allowed: false,
  status: 403,
  reason: "Only the upstream says who may have this",
};

function withoutLogin(request: RegistryRequest): RegistryRequest {
  return {
    method: request.method,
    target: request.target,
    body: request.body,
    address: request.address,
    secure: request.secure,
    header: (name) => (name === "authorization" ? undefined : request.header(name)),
  };
}
