import type { Descriptor, Digest, SignalOptions } from "../oci/index.ts";
import { routes, trimMediaType } from "../oci/index.ts";
import { ClientError } from "./errors.ts";
import { refuseHtml } from "./manifests.ts";
import { below, nameOf, type Place } from "./place.ts";
import { repositoryScope } from "./scope.ts";

/**
 * Size and type of a blob, by HEAD.
 *
 * @throws ClientError `BLOB_UNKNOWN`; `RESPONSE_INVALID` when the answer doesn't say how long it is
 */
export function resolveBlob(place: Place, digest: Digest, options: SignalOptions = {}): Promise<Descriptor> {
  const action = `look for blob "${digest}" in ${nameOf(place)}`;
  const call = {
    domain: place.domain,
    repository: place.repository,
    scopes: [repositoryScope(place.repository, ["pull"])],
    capabilities: ["pull"],
    method: "HEAD",
    target: below(routes.blob(place.repository, digest)),
    headers: { accept: "*/*", "accept-encoding": "identity" },
    accept: [200],
    missing: "BLOB_UNKNOWN",
    action,
    signal: options.signal,
  } as const;
  return place.exchange.ask(call, async ({ response }) => {
    await response.discard();
    refuseHtml(call, response);
    const length = response.header("content-length") ?? "";
    if (!/^[0-9]{1,15}$/.test(length)) {
      throw new ClientError("RESPONSE_INVALID", `Cannot ${action}: the answer does not say how long it is`);
    }
    const mediaType = trimMediaType(response.header("content-type") ?? "");
    return {
      mediaType: mediaType === "" ? "application/octet-stream" : mediaType,
      digest,
      size: Number(length),
    };
  });
}
