import type { Challenge } from "./challenge.ts";
import { ClientError } from "./errors.ts";
import { parseRealm } from "./realm.ts";

/** What a Bearer challenge asks to be fetched, and where. */
export interface TokenOptions {
  readonly realm: string;
  /** Empty when the challenge names none. */
  readonly service: string;
  readonly scopes: readonly string[];
}

/** @throws ClientError `CHALLENGE_INVALID` without a realm that is an absolute http(s) URL */
export function tokenOptions(parameters: Challenge["parameters"]): TokenOptions {
  const { realm, service = "", scope = "" } = parameters;
  if (realm === undefined || realm === "") {
    throw new ClientError(
      "CHALLENGE_INVALID",
      "Cannot answer the Bearer challenge: it names no realm to get a token from",
    );
  }
  if (parseRealm(realm) === undefined) {
    throw new ClientError(
      "CHALLENGE_INVALID",
      `Cannot answer the Bearer challenge: its realm "${realm}" is not an http or https URL`,
    );
  }
  return { realm, service, scopes: scope.split(/\s+/).filter((item) => item !== "") };
}
