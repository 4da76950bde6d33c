import { createHash } from "node:crypto";
import type { SecureContext } from "node:tls";

import type { TlsSettings } from "./http.ts";

const keys = new WeakMap<TlsSettings, string>();

/** The same text for the same settings, so that equal ones share connections. */
export function tlsKey(settings: TlsSettings | undefined): string {
  if (settings === undefined) return "";
  let key = keys.get(settings);
  if (key === undefined) {
    const { ca = [], client = [], skipVerify = false } = settings;
    const plain = ca.length === 0 && client.length === 0 && !skipVerify;
    key = plain
      ? ""
      : createHash("sha256")
          .update(JSON.stringify([ca, client, skipVerify]))
          .digest("base64");
    keys.set(settings, key);
  }
  return key;
}

/**
 * Certificates ready for handshakes, made once for each way to trust. Reading the machine's own authorities takes
 * tens of milliseconds, so that waits for the first server that the built-in ones don't vouch for.
 */
export class TlsContexts {
  readonly #contexts = new Map<string, SecureContext>();

  async get(
    settings: TlsSettings | undefined,
    options: { readonly system: boolean },
  ): Promise<SecureContext> {
    const key = `${options.system ? "system" : "default"} ${tlsKey(settings)}`;
    const known = this.#contexts.get(key);
    if (known !== undefined) return known;
    const tls = await import("node:tls");
    const own = settings?.ca ?? [];
    const system = options.system ? tls.getCACertificates("system") : [];
    const client = settings?.client ?? [];
    // Whoever checks nothing needs no authorities, and loading them is most of a context's cost.
    const unchecked = settings?.skipVerify === true;
    const context = tls.createSecureContext({
      ...(unchecked && { ca: [] }),
      ...(!unchecked &&
        own.length + system.length > 0 && {
          ca: [...new Set([...tls.getCACertificates("default"), ...system, ...own])],
        }),
      ...(client.length > 0 && {
        cert: client.map((pair) => pair.cert),
        key: client.map((pair) => pair.key),
      }),
    });
    this.#contexts.set(key, context);
    return context;
  }
}
