/** Keeps a webhook's certificate current while it runs. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";

import type { TlsIdentity } from "../../internal/http-server.ts";
import { expiryOf } from "../../internal/certificates.ts";
import { CliError } from "../errors.ts";
import { type IdentityOptions, renewIdentity } from "./identity.ts";
import type { IdentityStore } from "./identity-store.ts";

/** The certificate to show now. */
export interface KeptIdentity {
  readonly tls: TlsIdentity;
  /** Milliseconds since the epoch. */
  readonly expiry: number;
}

export interface IdentityKeeper {
  /** Looks again; the very same object where nothing changed. */
  look(options: { readonly signal?: AbortSignal | undefined }): Promise<KeptIdentity>;
}

/** Certificate and key that somebody else keeps current. Both are read anew at each look. */
export function fileIdentity(files: { readonly cert: string; readonly key: string }): IdentityKeeper {
  let kept: KeptIdentity | undefined;
  return {
    async look() {
      const [cert, key] = await Promise.all([readFile(files.cert, "utf8"), readFile(files.key, "utf8")]);
      if (kept?.tls.cert === cert && kept.tls.key === key) return kept;
      checkPair(files, { cert, key });
      return (kept = { tls: { cert, key }, expiry: expiryOf(cert) });
    },
  };
}

/** While somebody writes the two, they don't belong together. */
function checkPair(
  files: { readonly cert: string; readonly key: string },
  { cert, key }: { readonly cert: string; readonly key: string },
): void {
  let fits: boolean;
  try {
    fits = new X509Certificate(cert).checkPrivateKey(createPrivateKey(key));
  } catch (cause) {
    const both = `${JSON.stringify(files.cert)} and ${JSON.stringify(files.key)}`;
    const message = `Cannot show the certificate of ${both}: they are not a certificate and a key in PEM`;
    throw new CliError("TLS_INVALID", message, { cause });
  }
  if (fits) return;
  const message = `Cannot show the certificate of ${JSON.stringify(files.cert)}: ${JSON.stringify(files.key)} is the key of another`;
  throw new CliError("TLS_INVALID", message);
}

export interface OwnIdentityOptions extends IdentityOptions {
  readonly store: IdentityStore;
  /** Tells clients whom to trust, before anything is shown that they wouldn't; called at each look. */
  readonly publish: (bundle: string, options: { readonly signal?: AbortSignal | undefined }) => Promise<void>;
  readonly onWarning: (error: unknown) => void;
}

export function ownIdentity(options: OwnIdentityOptions): IdentityKeeper {
  const { store, publish, now, onWarning } = options;
  let kept: KeptIdentity | undefined;
  return {
    async look({ signal }) {
      for (;;) {
        signal?.throwIfAborted();
        const stored = await store.read({ signal });
        const identity = await renewIdentity(stored.identity, options);
        // Of replicas that make a certificate at the same moment, one writes it down; the others take that.
        if (identity !== stored.identity && !(await stored.replace(identity))) continue;
        const told = await publish(identity.bundle, { signal }).then(
          () => true,
          (error: unknown) => onWarning(error),
        );
        const { certificate: cert, key } = identity.server;
        if (kept?.tls.cert === cert) return kept;
        // Clients that weren't told of a new authority go on trusting the certificate of before.
        if (kept !== undefined && told !== true && kept.expiry > now()) return kept;
        return (kept = { tls: { cert, key }, expiry: expiryOf(cert) });
      }
    },
  };
}
