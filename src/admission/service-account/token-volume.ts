/**
 * The token that containers speak to the API with: a volume `kube-api-access-…`, mounted where clients look for it.
 */
import type { JsonObject } from "../../kubernetes/index.ts";
import { objectsOf, textOf } from "../json.ts";

const VOLUME_PREFIX = "kube-api-access-";
const MOUNT_PATH = "/var/run/secrets/kubernetes.io/serviceaccount";
/** An hour, and a few seconds that tell these tokens from those people ask for. */
const EXPIRATION_SECONDS = 3607;

/** Letters that spell no words. */
const SUFFIX_LETTERS = "bcdfghjklmnpqrstvwxz2456789";

/** The end of a generated name, as Kubernetes makes it. */
export function nameSuffix(random: () => number = Math.random): string {
  const letter = (): string => SUFFIX_LETTERS[Math.floor(random() * SUFFIX_LETTERS.length)] ?? "b";
  return letter() + letter() + letter() + letter() + letter();
}

/**
 * The Pod spec with the token in every container that has nothing of its own at that path. Ephemeral containers get
 * none: they come later, and may add no volumes.
 */
export function mountToken(spec: JsonObject, suffix: () => string): JsonObject {
  const volumes = objectsOf(spec["volumes"]);
  const own = volumes.map(({ name }) => textOf(name)).find((name) => name.startsWith(VOLUME_PREFIX));
  const name = own ?? VOLUME_PREFIX + suffix();
  const mount = { name, readOnly: true, mountPath: MOUNT_PATH };
  const next: Record<string, JsonObject[string]> = { ...spec };
  let mounted = false;
  for (const list of ["initContainers", "containers"]) {
    const containers = objectsOf(spec[list]);
    const changed = containers.map((container) => withMount(container, mount));
    if (changed.every((container, index) => container === containers[index])) continue;
    next[list] = changed;
    mounted = true;
  }
  if (!mounted) return spec;
  if (own === undefined) next["volumes"] = [...volumes, { name, projected: tokenSource() }];
  return next;
}

function withMount(container: JsonObject, mount: JsonObject): JsonObject {
  const mounts = objectsOf(container["volumeMounts"]);
  if (mounts.some(({ mountPath }) => mountPath === MOUNT_PATH)) return container;
  return { ...container, volumeMounts: [...mounts, mount] };
}

function tokenSource(): JsonObject {
  return {
    sources: [
      { serviceAccountToken: { expirationSeconds: EXPIRATION_SECONDS, path: "token" } },
      { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
      {
        downwardAPI: {
          items: [{ path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } }],
        },
      },
    ],
    defaultMode: 0o644,
  };
}
