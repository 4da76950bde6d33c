import type { ServedRegistry } from "../../registry/index.ts";

/** What is running, and what to do with it. */
export function startHints(folder: string, registry: ServedRegistry | undefined): readonly string[] {
  const watching = `Watching ${folder}: edit, add or remove Pods there.`;
  if (registry === undefined) return [watching, ""];
  const { address, port } = registry;
  const host = address === "127.0.0.1" || address === "::1" ? `localhost:${port}` : `${address}:${port}`;
  return [
    `Registry on http://${address.includes(":") ? `[${address}]` : address}:${port}`,
    watching,
    "Try next, from another terminal:",
    `  crane push image.tar ${host}/app:1`,
    `  docker tag busybox ${host}/app:1 && docker push ${host}/app:1`,
    `  skopeo copy --dest-tls-verify=false oci-archive:image.tar docker://${host}/app:1`,
    "Ctrl-C ends it.",
    "",
  ];
}
