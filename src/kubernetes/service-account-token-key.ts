import {
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  randomUUID,
} from "node:crypto";
import { link, open, readFile, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

import { DrayError } from "../errors.ts";
import { syncFolder } from "../internal/atomic-write.ts";

/** The key that signs tokens of ServiceAccounts. */
export interface ServiceAccountKey {
  readonly algorithm: "ES256";
  /** Names the key in tokens, as Kubernetes does: a digest of its public part. */
  readonly id: string;
  readonly privateKey: KeyObject;
  readonly publicKey: KeyObject;
}

export class ServiceAccountKeyError extends DrayError<"KEY_INVALID"> {}

const CURVE = "prime256v1";

export function generateServiceAccountKey(): ServiceAccountKey {
  return describe(generateKeyPairSync("ec", { namedCurve: CURVE }).privateKey);
}

/**
 * The key in this file, readable to its owner alone; made if there is none. Of several processes that make it at once,
 * all have the same one.
 *
 * @throws ServiceAccountKeyError `KEY_INVALID` for a file that holds none, or the system's error
 */
export async function openServiceAccountKey(path: string): Promise<ServiceAccountKey> {
  const text = (await readIfThere(path)) ?? (await create(path)) ?? (await readFile(path, "utf8"));
  return parse(text, path);
}

/** The public part as a JSON Web Key, for those who verify tokens. */
export function publicJwk(key: ServiceAccountKey): Readonly<Record<string, unknown>> {
  const { kty, crv, x, y } = key.publicKey.export({ format: "jwk" });
  return { use: "sig", kty, kid: key.id, alg: key.algorithm, crv, x, y };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}

/** The text it wrote; `undefined` if another process was faster. */
async function create(path: string): Promise<string | undefined> {
  const { privateKey } = generateServiceAccountKey();
  const text = String(privateKey.export({ type: "pkcs8", format: "pem" }));
  const draft = join(dirname(path), `.${basename(path)}.${randomUUID()}`);
  try {
    const file = await open(draft, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    // Unlike a rename, a link never takes the place of what is there.
    await link(draft, path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "EEXIST") return undefined;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
  await syncFolder(dirname(path));
  return text;
}

function parse(text: string, path: string): ServiceAccountKey {
  let key: KeyObject;
  try {
    key = createPrivateKey(text);
  } catch {
    // The parser's words may hold a piece of the key.
    throw invalid(path, "no private key stands in it");
  }
  if (key.asymmetricKeyDetails?.namedCurve !== CURVE)
    throw invalid(path, "its key is none of the curve P-256");
  return describe(key);
}

function describe(privateKey: KeyObject): ServiceAccountKey {
  const publicKey = createPublicKey(privateKey);
  const encoded = publicKey.export({ type: "spki", format: "der" });
  const id = createHash("sha256").update(encoded).digest("base64url");
  return { algorithm: "ES256", id, privateKey, publicKey };
}

function invalid(path: string, why: string): ServiceAccountKeyError {
  const how = "remove the file to have a new one made";
  return new ServiceAccountKeyError(
    "KEY_INVALID",
    `Cannot sign tokens with ${JSON.stringify(path)}: ${why}; ${how}`,
  );
}
