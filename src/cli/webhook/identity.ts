/**
 * A certificate of our own for the webhook, the authority behind it, and when each is made anew.
 *
 * ```text
 * authority   ├──────────────── 5 years ────────────────┤
 *                                          ├─ the next one, beside it in the bundle ──────┤
 * server      ├ 90 days ┤
 *                    ├ 90 days ┤   a third before its end
 * ```
 */
import { X509Certificate } from "node:crypto";
import { isIP } from "node:net";

import {
  type CertificatePair,
  createAuthority,
  expiryOf,
  issueCertificate,
} from "../../internal/certificates.ts";

export interface WebhookIdentity {
  /** What is shown. */
  readonly server: CertificatePair;
  readonly authority: CertificatePair;
  /** PEM: the authorities to be trusted, the one of before included as long as it lasts. */
  readonly bundle: string;
}

export interface IdentityOptions {
  /** The names and addresses it is called by. */
  readonly hosts: readonly string[];
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

const DAY = 86_400_000;
const SERVER_LIFETIME = 90 * DAY;
const AUTHORITY_LIFETIME = 5 * 365 * DAY;
/** So that no server's certificate is cut short by its authority's end, nor the last to hear of a new one is late. */
const AUTHORITY_RENEWAL = 2 * SERVER_LIFETIME;

/** The same object where all of it is still good. */
export async function renewIdentity(
  current: WebhookIdentity | undefined,
  options: IdentityOptions,
): Promise<WebhookIdentity> {
  const { now, hosts } = options;
  const old = current !== undefined && isUsable(current) ? current : undefined;
  const lasting = old !== undefined && expiryOf(old.authority.certificate) - now() > AUTHORITY_RENEWAL;
  if (old !== undefined && lasting && isGood(old, options)) return old;
  const authority = lasting
    ? old.authority
    : await createAuthority({ commonName: "dray-webhook-ca", now, lifetimeMs: AUTHORITY_LIFETIME });
  const server = await issueCertificate(authority, {
    commonName: "dray-webhook",
    hosts,
    usage: "server",
    now,
    lifetimeMs: SERVER_LIFETIME,
  });
  return { server, authority, bundle: bundleOf(authority.certificate, old?.bundle ?? "", now()) };
}

function isGood({ server, authority }: WebhookIdentity, { hosts, now }: IdentityOptions): boolean {
  const certificate = new X509Certificate(server.certificate);
  const vouched = certificate.verify(new X509Certificate(authority.certificate).publicKey);
  const named = hosts.every(
    (host) => (isIP(host) === 0 ? certificate.checkHost(host) : certificate.checkIP(host)) !== undefined,
  );
  return vouched && named && expiryOf(server.certificate) - now() > SERVER_LIFETIME / 3;
}

/** Somebody may have written something else where it was kept. */
function isUsable({ server, authority }: WebhookIdentity): boolean {
  try {
    const pairs = [server, authority].map((pair) => new X509Certificate(pair.certificate));
    return pairs.every((one) => one.validToDate.getTime() > 0) && authority.key.includes("PRIVATE KEY");
  } catch {
    return false;
  }
}

function bundleOf(authority: string, earlier: string, now: number): string {
  const others = (earlier.match(/-----BEGIN CERTIFICATE-----[^]*?-----END CERTIFICATE-----/g) ?? [])
    .map((pem) => `${pem}\n`)
    .filter((pem) => pem.trim() !== authority.trim() && expiryOf(pem) > now);
  return [authority, ...others].join("");
}
