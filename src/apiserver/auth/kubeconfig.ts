/** The file that kubectl finds the server by, and the administrator's token in it. */
import { randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { writeFileAtomically } from "../../internal/atomic-write.ts";
import { Secret } from "../../internal/secret.ts";
import { formatYaml, yaml } from "../../internal/yaml.ts";
import { digestToken, type StaticToken } from "./authenticate.ts";
import { ADMIN } from "./user.ts";

/** Digests of the tokens that are good; the tokens themselves are with their owners. */
const TOKENS = "tokens.json";
const NAME = "dray";

export interface KubeconfigOptions {
  /** Such as `https://127.0.0.1:6443`. */
  readonly server: string;
  /** PEM. */
  readonly authority: string;
  readonly token: Secret;
}

export interface AdminToken {
  readonly token: Secret;
  readonly known: readonly StaticToken[];
}

/** The administrator's token: the one in the kubeconfig while that is a good one, else a new one. */
export async function openAdminToken(folder: string, kubeconfig: string): Promise<AdminToken> {
  const file = join(folder, TOKENS);
  const digests = await readDigests(file);
  const old = await readToken(kubeconfig);
  if (old !== undefined && digests.includes(digestToken(old))) {
    return { token: new Secret(old), known: digests.map((sha256) => ({ sha256, user: ADMIN })) };
  }
  const fresh = randomBytes(32).toString("base64url");
  const sha256 = digestToken(fresh);
  // Whoever lost the file may have lost it to somebody: what was in it is good no more.
  await writeFileAtomically(file, `${JSON.stringify({ admin: [sha256] })}\n`, { mode: 0o600 });
  return { token: new Secret(fresh), known: [{ sha256, user: ADMIN }] };
}

/** Readable to its owner alone. */
export async function writeKubeconfig(path: string, options: KubeconfigOptions): Promise<void> {
  const text = formatKubeconfig(options);
  if ((await readText(path)) === text) return;
  await writeFileAtomically(path, text, { mode: 0o600 });
}

export function formatKubeconfig({ server, authority, token }: KubeconfigOptions): string {
  return formatYaml({
    apiVersion: "v1",
    kind: "Config",
    clusters: [
      {
        name: NAME,
        cluster: { "certificate-authority-data": Buffer.from(authority).toString("base64"), server },
      },
    ],
    contexts: [{ name: NAME, context: { cluster: NAME, user: NAME } }],
    "current-context": NAME,
    users: [{ name: NAME, user: { token: token.reveal() } }],
  });
}

async function readToken(kubeconfig: string): Promise<string | undefined> {
  const text = await readText(kubeconfig);
  if (text === undefined) return undefined;
  try {
    const config = yaml().parse(text) as {
      users?: readonly { name?: string; user?: { token?: unknown } }[];
    } | null;
    const token = config?.users?.find((one) => one.name === NAME)?.user?.token;
    return typeof token === "string" ? token : undefined;
  } catch {
    // Whatever that is, it is about to be replaced.
    return undefined;
  }
}

async function readDigests(file: string): Promise<readonly string[]> {
  const text = await readText(file);
  if (text === undefined) return [];
  try {
    const { admin } = JSON.parse(text) as { readonly admin?: unknown };
    return Array.isArray(admin)
      ? admin.filter((one): one is string => /^[0-9a-f]{64}$/.test(String(one)))
      : [];
  } catch {
    return [];
  }
}

async function readText(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw error;
  }
}
