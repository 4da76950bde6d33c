/** The Secrets that hold a tenant's logins. */
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";
import { createDockerRegistrySecret } from "../../kubernetes/index.ts";
import type { TenantLogin, TenantUse } from "../../registry/index.ts";
import { Secret } from "../../credentials/index.ts";
import { namesOf } from "./places.ts";

/** Says whose an object is; what doesn't bear it is left alone. */
export const TENANT_LABEL = "dray.dev/tenant";

const KEY = ".dockerconfigjson";

export function secretName(tenant: string, use: TenantUse): string {
  return `dray-${tenant}-${use}`;
}

/** The same as `kubectl create secret docker-registry` makes, for each name of the registry. */
export function tenantSecret(
  tenant: { readonly name: string; readonly registry: string },
  namespace: string,
  { use, login, secret }: TenantLogin,
): KubernetesObject {
  const name = secretName(tenant.name, use);
  const [first, ...others] = namesOf(tenant.registry).map((server) =>
    createDockerRegistrySecret({ username: login, password: secret.reveal(), server }, { name, namespace }),
  );
  const all = [first, ...others].map((object) => authsOf(object));
  const auths = Object.assign({}, ...all) as JsonObject;
  const labels = { [TENANT_LABEL]: tenant.name, "app.kubernetes.io/managed-by": "dray" };
  return {
    ...(first as KubernetesObject),
    metadata: { name, namespace, labels },
    data: { [KEY]: Buffer.from(JSON.stringify({ auths })).toString("base64") },
  };
}

export function isOfTenant(object: KubernetesObject, tenant: string): boolean {
  return object.metadata.labels?.[TENANT_LABEL] === tenant;
}

/** The secret that pulls or pushes; `undefined` where there is none, or somebody put something else there. */
export function passwordIn(object: KubernetesObject): Secret | undefined {
  const [entry] = Object.values(authsOf(object));
  const password = isObject(entry) ? entry["password"] : undefined;
  return typeof password === "string" ? new Secret(password) : undefined;
}

function authsOf(object: KubernetesObject | undefined): JsonObject {
  const data = object?.["data"];
  const text = isObject(data) ? data[KEY] : undefined;
  if (typeof text !== "string") return {};
  try {
    const document = JSON.parse(Buffer.from(text, "base64").toString("utf8")) as unknown;
    const auths = isObject(document) ? document["auths"] : undefined;
    return isObject(auths) ? auths : {};
  } catch {
    return {};
  }
}

function isObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
