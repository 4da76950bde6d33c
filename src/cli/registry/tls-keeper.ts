import { readFile } from "node:fs/promises";

import type { TlsIdentity } from "../../internal/http-server.ts";
import type { TlsFiles } from "../../registry/index.ts";
import { CliError } from "../errors.ts";
import { fileIdentity, type IdentityKeeper } from "../webhook/keep-identity.ts";

/** The certificate, key and authorities of files: all of them as they are at one moment, or those of before. */
export class TlsKeeper {
  readonly #files: TlsFiles;
  readonly #pair: IdentityKeeper;
  #kept: TlsIdentity | undefined;

  constructor(files: TlsFiles) {
    this.#files = files;
    this.#pair = fileIdentity({ cert: files.certificate, key: files.key });
  }

  get paths(): readonly string[] {
    const { certificate, key, clientCa } = this.#files;
    return [certificate, key, ...(clientCa === undefined ? [] : [clientCa])];
  }

  /**
   * Reads again; the very same object where nothing changed.
   *
   * @throws CliError `TLS_INVALID`
   */
  async look(): Promise<TlsIdentity> {
    const [{ tls }, clientCa] = await Promise.all([this.#pair.look({}), this.#readClientCa()]);
    if (this.#kept?.cert === tls.cert && this.#kept.key === tls.key && this.#kept.clientCa === clientCa) {
      return this.#kept;
    }
    return (this.#kept = { ...tls, clientCa });
  }

  async #readClientCa(): Promise<string | undefined> {
    const { clientCa } = this.#files;
    if (clientCa === undefined) return undefined;
    const text = await readFile(clientCa, "utf8");
    if (text.includes("-----BEGIN CERTIFICATE-----")) return text;
    throw new CliError(
      "TLS_INVALID",
      `Cannot use ${JSON.stringify(clientCa)}: it has no certificates in PEM`,
    );
  }
}
