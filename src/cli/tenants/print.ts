/** What `--print` prints: YAML for `kubectl apply -f -`, and in comments what that can't do. */
import { formatYaml } from "../../internal/yaml.ts";
import type { KubernetesObject } from "../../kubernetes/index.ts";
import { type TenantLogins, type TenantRecord, usesOf } from "../../registry/index.ts";
import { secretName, tenantSecret } from "./pull-secret.ts";
import { ACCOUNT, entryAnnotation } from "./service-account.ts";

export function tenantObjects(tenant: TenantRecord, logins: TenantLogins): readonly KubernetesObject[] {
  return tenant.namespaces.flatMap((namespace) =>
    usesOf(namespace).map((use) => tenantSecret(tenant, namespace.name, logins[use])),
  );
}

export function formatObjects(objects: readonly KubernetesObject[]): string {
  return objects.map((object) => formatYaml(object)).join("---\n");
}

/**
 * For each namespace: adds the Secret to the account's list, or begins the list where there is none. `kubectl apply`
 * would replace the list.
 */
export function accountCommands(tenant: TenantRecord): readonly string[] {
  const entry = { name: secretName(tenant.name, "pull") };
  const mark = { metadata: { annotations: { [entryAnnotation(tenant.name)]: entry.name } } };
  return tenant.namespaces.map(({ name }) => {
    const patch = (...operations: readonly object[]): string =>
      `kubectl -n ${name} patch serviceaccount ${ACCOUNT} --type=json -p '${JSON.stringify(operations)}'`;
    const add = patch({ op: "add", path: "/imagePullSecrets/-", value: entry });
    const begin = patch(
      { op: "test", path: "/imagePullSecrets", value: null },
      { op: "add", path: "/imagePullSecrets", value: [entry] },
    );
    const annotate = `kubectl -n ${name} patch serviceaccount ${ACCOUNT} --type=merge -p '${JSON.stringify(mark)}'`;
    return `{ ${add} || ${begin}; } && ${annotate}`;
  });
}

/** Takes away what `--print` had others bring; the account's entry is named, since only its owner knows its place. */
export function removalCommands(tenant: TenantRecord): readonly string[] {
  return tenant.namespaces.flatMap((namespace) => [
    `kubectl -n ${namespace.name} delete secret --ignore-not-found ${usesOf(namespace)
      .map((use) => secretName(tenant.name, use))
      .join(" ")}`,
    `kubectl -n ${namespace.name} edit serviceaccount ${ACCOUNT} # take ${secretName(tenant.name, "pull")} out of imagePullSecrets`,
  ]);
}
