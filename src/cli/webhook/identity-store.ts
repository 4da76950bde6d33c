/** Where a webhook's own certificate is kept: in a Secret all replicas share, or in a folder. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";

import { writeFileAtomically } from "../../internal/atomic-write.ts";
import { makeFolder } from "../../internal/make-folder.ts";
import { isRefusal, type KubernetesClient, type KubernetesObject } from "../../kubernetes/index.ts";
import { isSystemError } from "../exit-code.ts";
import type { NamespacedName } from "./pull-objects.ts";
import type { WebhookIdentity } from "./identity.ts";

export interface StoredIdentity {
  readonly identity: WebhookIdentity | undefined;
  /** Replaces what was read; false when somebody else was faster. */
  replace(identity: WebhookIdentity): Promise<boolean>;
}

export interface IdentityStore {
  read(options: { readonly signal?: AbortSignal | undefined }): Promise<StoredIdentity>;
}

const SECRETS = { group: "", version: "v1", resource: "secrets", namespaced: true } as const;

/** The names of the parts, as in Secrets of the type `kubernetes.io/tls`. */
const PARTS = ["tls.crt", "tls.key", "ca.crt", "ca.key", "bundle.crt"] as const;

type Parts = Readonly<Record<(typeof PARTS)[number], string>>;

export function secretIdentityStore(
  client: KubernetesClient,
  { namespace, name }: NamespacedName,
): IdentityStore {
  const secrets = client.resource(SECRETS);
  return {
    async read({ signal }) {
      const found = await secrets.find(name, { namespace, signal });
      const data = (found as { readonly data?: Readonly<Record<string, string>> } | undefined)?.data ?? {};
      const text = (part: string): string => Buffer.from(data[part] ?? "", "base64").toString();
      return {
        identity: toIdentity(Object.fromEntries(PARTS.map((part) => [part, text(part)])) as Parts),
        replace: (identity) =>
          unlessChanged(async () => {
            const secret = toSecret(identity, { namespace, name });
            if (found === undefined) return await secrets.create(secret, { namespace, signal });
            const metadata = { ...found.metadata };
            return await secrets.update({ ...found, ...secret, metadata }, { namespace, signal });
          }),
      };
    },
  };
}

/** Processes that share a folder see one another's certificates; the last to write wins. */
export function folderIdentityStore(folder: string): IdentityStore {
  return {
    async read() {
      const entries = await Promise.all(
        PARTS.map(async (part) => [part, await readPart(join(folder, part))] as const),
      );
      return {
        identity: toIdentity(Object.fromEntries(entries) as Parts),
        replace: async (identity) => {
          makeFolder(folder, { mode: 0o700 });
          for (const [part, text] of Object.entries(toParts(identity))) {
            await writeFileAtomically(join(folder, part), text, { mode: 0o600 });
          }
          return true;
        },
      };
    },
  };
}

async function readPart(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (isSystemError(error) && error.code === "ENOENT") return "";
    throw error;
  }
}

async function unlessChanged(write: () => Promise<unknown>): Promise<boolean> {
  try {
    await write();
    return true;
  } catch (error) {
    if (isRefusal(error, 409)) return false;
    throw error;
  }
}

function toIdentity(parts: Parts): WebhookIdentity | undefined {
  if (PARTS.some((part) => parts[part] === "")) return undefined;
  return {
    server: { certificate: parts["tls.crt"], key: parts["tls.key"] },
    authority: { certificate: parts["ca.crt"], key: parts["ca.key"] },
    bundle: parts["bundle.crt"],
  };
}

function toParts({ server, authority, bundle }: WebhookIdentity): Parts {
  return {
    "tls.crt": server.certificate,
    "tls.key": server.key,
    "ca.crt": authority.certificate,
    "ca.key": authority.key,
    "bundle.crt": bundle,
  };
}

function toSecret(identity: WebhookIdentity, { namespace, name }: NamespacedName): KubernetesObject {
  const data = Object.entries(toParts(identity)).map(([part, text]) => [
    part,
    Buffer.from(text).toString("base64"),
  ]);
  return {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, labels: { "app.kubernetes.io/managed-by": "dray" } },
    type: "kubernetes.io/tls",
    data: Object.fromEntries(data) as Record<string, string>,
  };
}
