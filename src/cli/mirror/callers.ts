import {
  type CredentialCandidate,
  type CredentialSource,
  Secret,
  StaticSource,
} from "../../credentials/index.ts";
import type { UpstreamCaller } from "../../registry/index.ts";

/** Who a caller is to the upstream: what their request's `Authorization` says, and nothing else of theirs or ours. */
export function credentialsOf(caller: UpstreamCaller, host: string): CredentialSource {
  const candidate = candidateOf(caller.authorization?.reveal() ?? "");
  return new StaticSource(candidate === undefined ? [] : [{ registry: host, candidate }]);
}

function candidateOf(authorization: string): CredentialCandidate | undefined {
  const origin = { kind: "argument", label: "the caller's own credentials" } as const;
  const [, scheme = "", value = ""] = /^([A-Za-z]+) +([^\s]+)\s*$/.exec(authorization) ?? [];
  switch (scheme.toLowerCase()) {
    case "bearer":
      return { credential: { kind: "registry-token", token: new Secret(value) }, origin };
    case "basic": {
      const text = Buffer.from(value, "base64").toString();
      const colon = text.indexOf(":");
      if (colon < 1) return undefined;
      const password = new Secret(text.slice(colon + 1));
      return { credential: { kind: "basic", username: text.slice(0, colon), password }, origin };
    }
    default:
      return undefined;
  }
}
