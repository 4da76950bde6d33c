/**
 * Certificates of our own making: an authority, and what it vouches for. ECDSA on P-256 with SHA-256, private keys in
 * PKCS#8, everything as PEM.
 *
 * ```ts
 * const authority = await createAuthority({ commonName: "dray", now: Date.now, lifetimeMs: 3650 * 86_400_000 });
 * const server = await issueCertificate(authority, {
 *   commonName: "dray-apiserver", hosts: ["localhost", "127.0.0.1"], usage: "server", now: Date.now, lifetimeMs: 365 * 86_400_000,
 * });
 * ```
 */
import { createPrivateKey, webcrypto, X509Certificate } from "node:crypto";
import { isIP } from "node:net";
import type * as x509Types from "@peculiar/x509";

/** Both PEM. The key is a secret: whoever writes it keeps the file to its owner. */
export interface CertificatePair {
  readonly certificate: string;
  readonly key: string;
}

export interface AuthorityOptions {
  readonly commonName: string;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly lifetimeMs: number;
}

export interface CertificateOptions {
  /** The user, in a client's certificate. */
  readonly commonName: string;
  /** The groups, in a client's certificate. */
  readonly organizations?: readonly string[];
  /** DNS names, which may start with `*.`, and IP addresses. */
  readonly hosts?: readonly string[];
  readonly usage: "server" | "client";
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  /** Cut to what is left of the authority's. */
  readonly lifetimeMs: number;
}

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

/** So that a certificate is good at once on a machine whose clock is behind. */
const BACKDATED_MS = 5 * 60_000;

/** A root that may vouch for servers and clients, and for no further authority. */
export async function createAuthority(options: AuthorityOptions): Promise<CertificatePair> {
  const x509 = await loadX509();
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const usages = x509.KeyUsageFlags.digitalSignature | x509.KeyUsageFlags.keyCertSign;
  const certificate = await x509.X509CertificateGenerator.createSelfSigned({
    name: [{ CN: [options.commonName] }],
    keys,
    signingAlgorithm: ALGORITHM,
    ...validity(options),
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(usages | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return toPair(certificate.toString("pem"), keys.privateKey);
}

/** The answer's `certificate` is the leaf alone: who verifies it has the authority's. */
export async function issueCertificate(
  authority: CertificatePair,
  options: CertificateOptions,
): Promise<CertificatePair> {
  const x509 = await loadX509();
  const issuer = new x509.X509Certificate(authority.certificate);
  const signingKey = createPrivateKey(authority.key).toCryptoKey(ALGORITHM, false, ["sign"]);
  const keys = await webcrypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
  const usage = options.usage === "server" ? "serverAuth" : "clientAuth";
  const names = (options.hosts ?? []).map((host) =>
    isIP(host) === 0 ? ({ type: "dns", value: host } as const) : ({ type: "ip", value: host } as const),
  );
  const { notBefore, notAfter } = validity(options);
  const certificate = await x509.X509CertificateGenerator.create({
    subject: [
      ...(options.organizations ?? []).map((organization) => ({ O: [organization] })),
      { CN: [options.commonName] },
    ],
    issuer: issuer.subjectName,
    publicKey: keys.publicKey,
    signingKey,
    signingAlgorithm: ALGORITHM,
    notBefore: notBefore < issuer.notBefore ? issuer.notBefore : notBefore,
    notAfter: notAfter > issuer.notAfter ? issuer.notAfter : notAfter,
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([x509.ExtendedKeyUsage[usage]]),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
      await x509.AuthorityKeyIdentifierExtension.create(issuer.publicKey),
      ...(names.length === 0 ? [] : [new x509.SubjectAlternativeNameExtension(names)]),
    ],
  });
  return toPair(certificate.toString("pem"), keys.privateKey);
}

/** When a certificate ends, in milliseconds since the epoch; of several in the text, the first. */
export function expiryOf(pem: string): number {
  return new X509Certificate(pem).validToDate.getTime();
}

type X509 = typeof x509Types;

let loading: Promise<X509> | undefined;

/** Loaded where a certificate is made and nowhere else: it takes longer to load than most commands take to run. */
function loadX509(): Promise<X509> {
  return (loading ??= importX509());
}

/**
 * The package finds its parts with `tsyringe`, which refuses to load without `reflect-metadata`, though nothing
 * here is injected into a constructor. It gets answers without content while it loads, and `Reflect` is left as it was.
 */
async function importX509(): Promise<X509> {
  const reflect = Reflect as unknown as Record<string, unknown>;
  const lent = ["getMetadata", "getOwnMetadata", "defineMetadata"].filter((name) => !(name in reflect));
  for (const name of lent) reflect[name] = (): undefined => undefined;
  try {
    return await import("@peculiar/x509");
  } finally {
    for (const name of lent) delete reflect[name];
  }
}

interface Validity {
  readonly notBefore: Date;
  readonly notAfter: Date;
}

/** X.509 knows whole seconds. */
function validity(options: { readonly now: () => number; readonly lifetimeMs: number }): Validity {
  const now = Math.floor(options.now() / 1000) * 1000;
  return { notBefore: new Date(now - BACKDATED_MS), notAfter: new Date(now + options.lifetimeMs) };
}

async function toPair(certificate: string, key: webcrypto.CryptoKey): Promise<CertificatePair> {
  const der = Buffer.from(await webcrypto.subtle.exportKey("pkcs8", key));
  const pem = createPrivateKey({ key: der, format: "der", type: "pkcs8" }).export({
    format: "pem",
    type: "pkcs8",
  });
  return { certificate: withNewline(certificate), key: pem.toString() };
}

function withNewline(pem: string): string {
  return pem.endsWith("\n") ? pem : `${pem}\n`;
}
