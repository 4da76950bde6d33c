/** Secrets that we make ourselves: too long to be guessed, so one plain hash keeps them as well as a slow one. */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";

import { Secret } from "../../internal/secret.ts";

export type RandomBytes = (size: number) => Uint8Array;

/** A new secret that scanners for lost secrets can tell by its beginning: `dray_robot_…`, `dray_refresh_…`. */
export function makeSecret(kind: "robot" | "refresh", random: RandomBytes = randomBytes): Secret {
  return new Secret(`dray_${kind}_${Buffer.from(random(32)).toString("base64url")}`);
}

/** What is stored of a secret. */
export function hashSecret(secret: Secret): string {
  return createHash("sha256").update(secret.reveal()).digest("base64url");
}

/** Takes the same time for every pair of hashes. */
export function equalHashes(one: string, other: string): boolean {
  const [a, b] = [Buffer.from(one), Buffer.from(other)];
  return a.length === b.length && timingSafeEqual(a, b);
}
