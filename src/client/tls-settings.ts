import { createPrivateKey, X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { ClientError } from "./errors.ts";
import type { TlsSettings } from "./http.ts";

export interface TlsFiles {
  readonly ca?: readonly string[] | undefined;
  /** Certificate and key file; an empty key file means the certificate's. */
  readonly client?: readonly (readonly [string, string])[] | undefined;
  readonly skipVerify?: boolean | undefined;
}

/**
 * Reads certificate files and checks them here, where a mistake can still be told by its file's name.
 * @throws ClientError `HOSTS_INVALID`
 */
export async function loadTlsSettings(files: TlsFiles): Promise<TlsSettings> {
  const ca = await Promise.all((files.ca ?? []).map(readCertificates));
  const client = await Promise.all((files.client ?? []).map(readPair));
  return {
    ...(ca.length > 0 && { ca }),
    ...(client.length > 0 && { client }),
    ...(files.skipVerify !== undefined && { skipVerify: files.skipVerify }),
  };
}

async function readCertificates(path: string): Promise<string> {
  const pem = await read(path, "CA certificate");
  firstCertificate(pem, path);
  return pem;
}

async function readPair([certPath, keyPath]: readonly [string, string]): Promise<{
  readonly cert: string;
  readonly key: string;
}> {
  const cert = await read(certPath, "client certificate");
  const keyFile = keyPath === "" ? certPath : keyPath;
  const key = keyFile === certPath ? cert : await read(keyFile, "client key");
  let privateKey;
  try {
    privateKey = createPrivateKey(key);
  } catch (cause) {
    throw new ClientError("HOSTS_INVALID", `Cannot use "${keyFile}": no readable private key in it`, {
      cause,
    });
  }
  if (!firstCertificate(cert, certPath).checkPrivateKey(privateKey)) {
    throw new ClientError(
      "HOSTS_INVALID",
      `Cannot use "${certPath}": the private key in "${keyFile}" belongs to another certificate`,
    );
  }
  return { cert, key };
}

function firstCertificate(pem: string, path: string): X509Certificate {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g);
  if (blocks === null) {
    throw new ClientError("HOSTS_INVALID", `Cannot use "${path}": no PEM certificate in it`);
  }
  try {
    return blocks.map((block) => new X509Certificate(block))[0] as X509Certificate;
  } catch (cause) {
    throw new ClientError("HOSTS_INVALID", `Cannot use "${path}": a certificate in it is broken`, {
      cause,
    });
  }
}

async function read(path: string, what: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    const code = (cause as NodeJS.ErrnoException).code ?? "unreadable";
    throw new ClientError("HOSTS_INVALID", `Cannot read ${what} "${path}": ${code}`, { cause });
  }
}
