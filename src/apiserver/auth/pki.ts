/**
 * The certificates of one server, in its folder:
 *
 *     pki/ca.crt  pki/ca.key                 the authority, for ten years
 *     pki/apiserver.crt  pki/apiserver.key   what the server shows, for one year; made again a month before its end
 */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { isIP } from "node:net";
import { join } from "node:path";

import { writeFileAtomically } from "../../internal/atomic-write.ts";
import {
  type CertificatePair,
  createAuthority,
  expiryOf,
  issueCertificate,
} from "../../internal/certificates.ts";
import { makeFolder } from "../../internal/make-folder.ts";

const DAY = 86_400_000;
const AUTHORITY_LIFETIME = 3650 * DAY;
const LIFETIME = 365 * DAY;
const RENEWAL = 30 * DAY;
/** By what clients on this machine, and those in Pods, may call the server. */
const HOSTS = [
  "localhost",
  "127.0.0.1",
  "::1",
  "kubernetes",
  "kubernetes.default",
  "kubernetes.default.svc",
  "kubernetes.default.svc.cluster.local",
];

export interface PkiOptions {
  readonly folder: string;
  /** More names and addresses to be called by. */
  readonly hosts: readonly string[];
  readonly now: () => number;
}

export interface Pki {
  /** PEM: whom clients have to trust. */
  readonly authority: string;
  readonly server: CertificatePair;
}

/** What is in the folder, or what is missing there or at its end, made anew. */
export async function openPki({ folder, hosts, now }: PkiOptions): Promise<Pki> {
  const place = join(folder, "pki");
  makeFolder(place, { mode: 0o700 });
  let authority = await readPair(place, "ca");
  let server = await readPair(place, "apiserver");
  if (authority === undefined || expiryOf(authority.certificate) - now() < RENEWAL) {
    authority = await createAuthority({ commonName: "dray", now, lifetimeMs: AUTHORITY_LIFETIME });
    server = undefined;
    await writePair(place, "ca", authority);
  }
  const names = [...new Set([...HOSTS, ...hosts])];
  if (server === undefined || !isGood(server, authority, { names, now: now() })) {
    server = await issueCertificate(authority, {
      commonName: "dray-apiserver",
      hosts: names,
      usage: "server",
      now,
      lifetimeMs: LIFETIME,
    });
    await writePair(place, "apiserver", server);
  }
  return { authority: authority.certificate, server };
}

function isGood(
  pair: CertificatePair,
  authority: CertificatePair,
  { names, now }: { readonly names: readonly string[]; readonly now: number },
): boolean {
  const certificate = new X509Certificate(pair.certificate);
  if (certificate.validToDate.getTime() - now < RENEWAL) return false;
  if (!certificate.verify(new X509Certificate(authority.certificate).publicKey)) return false;
  return names.every(
    (name) => (isIP(name) === 0 ? certificate.checkHost(name) : certificate.checkIP(name)) !== undefined,
  );
}

async function readPair(place: string, name: string): Promise<CertificatePair | undefined> {
  try {
    const [certificate, key] = await Promise.all([
      readFile(join(place, `${name}.crt`), "utf8"),
      readFile(join(place, `${name}.key`), "utf8"),
    ]);
    return { certificate, key };
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The key first: a certificate without its key would be taken for a whole pair. */
async function writePair(place: string, name: string, pair: CertificatePair): Promise<void> {
  await writeFileAtomically(join(place, `${name}.key`), pair.key, { mode: 0o600 });
  await writeFileAtomically(join(place, `${name}.crt`), pair.certificate, { mode: 0o644 });
}
