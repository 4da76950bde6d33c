import type { ListeningApi } from "../../apiserver/index.ts";
import type { ServedRegistry } from "../../registry/index.ts";

const TRY = "Try next, from another terminal:";

/** What is running, and what to do with it. */
export function startHints(
  folder: string,
  registry: ServedRegistry | undefined,
  api?: ListeningApi,
): readonly string[] {
  const watching = [
    ...(api === undefined ? [] : [`Kubernetes API on ${api.url}`]),
    `Watching ${folder}: edit, add or remove Pods there.`,
  ];
  const kubectl =
    api === undefined
      ? []
      : [`  export KUBECONFIG=${quoteForShell(api.kubeconfig)}`, "  kubectl get pods -A -w"];
  if (registry === undefined) {
    return [...watching, ...(kubectl.length > 0 ? [TRY, ...kubectl] : []), ""];
  }
  const { address, port } = registry;
  const host = address === "127.0.0.1" || address === "::1" ? `localhost:${port}` : `${address}:${port}`;
  return [
    `Registry on http://${address.includes(":") ? `[${address}]` : address}:${port}`,
    ...watching,
    TRY,
    ...kubectl,
    `  crane push image.tar ${host}/app:1`,
    `  docker tag busybox ${host}/app:1 && docker push ${host}/app:1`,
    `  skopeo copy --dest-tls-verify=false oci-archive:image.tar docker://${host}/app:1`,
    "Ctrl-C ends it.",
    "",
  ];
}

function quoteForShell(path: string): string {
  return /^[\w./@%+=:,-]+$/.test(path) ? path : `'${path.replaceAll("'", "'\\''")}'`;
}
