/** Where a list goes on: opaque to clients, who hand it back. */
import { badRequest } from "../../kubernetes/index.ts";

export interface ContinuePlace {
  /** The state the list is of; `undefined` where that is gone and the rest is of the newest. */
  readonly revision: number | undefined;
  readonly namespace: string;
  readonly name: string;
}

const VERSION = "meta.k8s.io/v1";

export function formatContinueToken(place: ContinuePlace): string {
  const { revision = -1, namespace, name } = place;
  const token = { v: VERSION, rv: revision, start: `${namespace}/${name}` };
  return Buffer.from(JSON.stringify(token)).toString("base64url");
}

/** @throws StatusError */
export function parseContinueToken(text: string): ContinuePlace {
  if (!/^[A-Za-z0-9_-]+={0,2}$/.test(text)) throw invalidToken("illegal base64 data");
  let token: unknown;
  try {
    token = JSON.parse(Buffer.from(text, "base64url").toString("utf8"));
  } catch {
    throw invalidToken("it does not hold JSON");
  }
  const { v, rv, start } = (token ?? {}) as Readonly<Record<string, unknown>>;
  if (v !== VERSION) throw invalidToken("server does not recognize this encoded version");
  if (typeof rv !== "number" || !Number.isSafeInteger(rv) || rv === 0 || rv < -1) {
    throw invalidToken("incorrect encoded start resourceVersion");
  }
  const slash = typeof start === "string" ? start.indexOf("/") : -1;
  if (typeof start !== "string" || slash === -1) throw invalidToken("encoded start key empty");
  return {
    revision: rv === -1 ? undefined : rv,
    namespace: start.slice(0, slash),
    name: start.slice(slash + 1),
  };
}

function invalidToken(why: string): Error {
  return badRequest(`continue key is not valid: ${why}`);
}
