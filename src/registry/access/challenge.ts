/** What `WWW-Authenticate` says: how to prove who one is, and for what. */

export interface BearerChallenge {
  /** The URL tokens are to be had at. */
  readonly realm: string;
  readonly service: string;
  /** Scopes, separated by spaces; empty when only the credentials matter. */
  readonly scope: string;
  /** Why the token that came wouldn't do. */
  readonly error?: "invalid_token" | "insufficient_scope" | undefined;
}

export function formatBasicChallenge(realm: string): string {
  return `Basic realm=${quote(realm)}`;
}

/** Every value is quoted: clients exist that read nothing else. */
export function formatBearerChallenge(challenge: BearerChallenge): string {
  const { realm, service, scope, error } = challenge;
  const parts = [`realm=${quote(realm)}`, `service=${quote(service)}`];
  if (scope !== "") parts.push(`scope=${quote(scope)}`);
  if (error !== undefined) parts.push(`error=${quote(error)}`);
  return `Bearer ${parts.join(",")}`;
}

function quote(text: string): string {
  // A header carries no control characters; what breaks lines would end it.
  return `"${text.replaceAll(/[^\x20-\x7e]/g, "?").replaceAll(/["\\]/g, "\\$&")}"`;
}
