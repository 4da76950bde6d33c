import type { PullSecret } from "../../credentials/index.ts";
import { decodeBase64 } from "../../internal/go/base64.ts";
import type { Json, KubernetesObject } from "../../kubernetes/index.ts";

/** A Secret as pulls use it. */
export function pullSecretOf(object: KubernetesObject): PullSecret {
  const { name = "", namespace = "", uid = "" } = object.metadata;
  const type = object["type"];
  const data = Object.entries((object["data"] ?? {}) as Readonly<Record<string, Json>>).map(
    ([key, value]) => [key, decodeBase64(typeof value === "string" ? value : "", { padded: true })] as const,
  );
  return { name, namespace, uid, type: typeof type === "string" ? type : "", data: Object.fromEntries(data) };
}
