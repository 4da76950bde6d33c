/** Where others learn whose tokens ServiceAccounts show, and how to verify them. */
import { DEFAULT_ISSUER, publicJwk, type ServiceAccountKey } from "../../kubernetes/index.ts";

const CONFIGURATION = "/.well-known/openid-configuration";
const KEYS = "/openid/v1/jwks";

/** @returns `undefined` for another path */
export function answerIssuer(url: URL, key: ServiceAccountKey): Response | undefined {
  const path = url.pathname.replace(/\/$/, "");
  if (path === KEYS) return answer({ keys: [publicJwk(key)] }, "application/jwk-set+json");
  if (path !== CONFIGURATION) return undefined;
  const document = {
    issuer: DEFAULT_ISSUER,
    jwks_uri: `${url.origin}${KEYS}`,
    response_types_supported: ["id_token"],
    subject_types_supported: ["public"],
    id_token_signing_alg_values_supported: [key.algorithm],
  };
  return answer(document, "application/json");
}

function answer(document: object, type: string): Response {
  // Long enough to be worth keeping, short enough for a new key to be noticed.
  const headers = { "Content-Type": type, "Cache-Control": "public, max-age=3600" };
  return new Response(JSON.stringify(document), { headers });
}
