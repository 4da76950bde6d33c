/** The closed list of causes: what `docs/causes/` has a page for each. */
import type { Cause } from "./cause.ts";
import { type CredentialCauseCode, CREDENTIAL_CAUSES } from "./table/credential-causes.ts";
import { type FoundCauseCode, FOUND_CAUSES } from "./table/found-causes.ts";
import { type NameCauseCode, NAME_CAUSES } from "./table/name-causes.ts";
import { type NetworkCauseCode, NETWORK_CAUSES } from "./table/network-causes.ts";
import { type PresenceCauseCode, PRESENCE_CAUSES } from "./table/presence-causes.ts";

export type CauseCode =
  | NameCauseCode
  | PresenceCauseCode
  | FoundCauseCode
  | CredentialCauseCode
  | NetworkCauseCode;

/** In the order in which an image meets them. */
export const CAUSES: Readonly<Record<CauseCode, Cause>> = {
  ...NAME_CAUSES,
  ...PRESENCE_CAUSES,
  ...FOUND_CAUSES,
  ...CREDENTIAL_CAUSES,
  ...NETWORK_CAUSES,
};

export const CAUSE_CODES: readonly CauseCode[] = Object.keys(CAUSES) as CauseCode[];

export function pageOf(code: CauseCode): string {
  return `docs/causes/${code}.md`;
}
