import type { Descriptor, SignalOptions } from "../oci/index.ts";
import { digestAlgorithm, digestOf, isDigest, isTag, MAX_DOCUMENT_SIZE, routes } from "../oci/index.ts";
import { ClientError } from "./errors.ts";
import type { Call } from "./exchange.ts";
import type { RegistryHost } from "./host.ts";
import { MANIFEST_ACCEPT } from "./manifests.ts";
import { below, nameOf, type Place } from "./place.ts";
import { repositoryScope } from "./scope.ts";
import { linkSubject, type SubjectLinks } from "./subject.ts";
import { pushHost } from "./uploads.ts";

export interface PushManifestOptions extends SignalOptions {
  /** The tag to point at it; its digest alone names it without. */
  readonly tag?: string | undefined;
}

export interface ManifestPush {
  readonly place: Place;
  readonly links: SubjectLinks;
  readonly descriptor: Descriptor;
  readonly bytes: Uint8Array;
}

/**
 * Stores a manifest or index under its tag or digest, unless the registry has just that there already.
 *
 * @throws ClientError
 */
export async function pushManifest(
  push: ManifestPush,
  options: PushManifestOptions = {},
): Promise<"written" | "exists"> {
  const { place, descriptor, bytes } = push;
  const { tag, signal } = options;
  const reference = tag ?? descriptor.digest;
  if (tag !== undefined && !isTag(tag)) {
    throw new ClientError(
      "MANIFEST_INVALID",
      `Cannot push to tag ${JSON.stringify(tag)} of ${nameOf(place)}: not a tag`,
    );
  }
  if (
    bytes.length !== descriptor.size ||
    digestOf(bytes, digestAlgorithm(descriptor.digest)) !== descriptor.digest
  ) {
    throw new ClientError(
      "DIGEST_INVALID",
      `Cannot push manifest "${descriptor.digest}" to ${nameOf(place)}: its bytes are others`,
    );
  }
  if (bytes.length > MAX_DOCUMENT_SIZE) {
    place.onWarning(
      `Manifest "${descriptor.digest}" has ${bytes.length} bytes; many registries take at most ${MAX_DOCUMENT_SIZE}`,
    );
  }
  const host = await pushHost(place, signal);
  const call = putCall(push, { reference, host, signal });
  if (await isThere(call, push)) return "exists";
  const linked = await place.exchange.ask(call, async ({ response }) => {
    await response.discard();
    const accepted = response.header("docker-content-digest");
    if (
      accepted !== undefined &&
      isDigest(accepted) &&
      digestAlgorithm(accepted) === digestAlgorithm(descriptor.digest) &&
      accepted !== descriptor.digest
    ) {
      throw new ClientError("DIGEST_INVALID", `Cannot ${call.action}: the registry stored "${accepted}"`);
    }
    return response.header("oci-subject");
  });
  await linkSubject(push, { host, linked, signal });
  return "written";
}

function putCall(
  { place, descriptor, bytes }: ManifestPush,
  to: { readonly reference: string; readonly host: RegistryHost; readonly signal: AbortSignal | undefined },
): Call {
  return {
    domain: place.domain,
    repository: place.repository,
    scopes: [repositoryScope(place.repository, ["pull", "push"])],
    capabilities: ["push"],
    hosts: [to.host],
    method: "PUT",
    target: below(routes.manifest(place.repository, to.reference)),
    headers: { "content-type": descriptor.mediaType },
    body: bytes,
    accept: [201, 200, 202],
    action: `push manifest ${JSON.stringify(to.reference)} to ${nameOf(place)}`,
    missing: "NAME_UNKNOWN",
    signal: to.signal,
  };
}

/** Registries with unchangeable tags refuse even the same manifest again, so look first. */
function isThere(put: Call, { place, descriptor }: ManifestPush): Promise<boolean> {
  const call: Call = {
    ...put,
    method: "HEAD",
    body: undefined,
    headers: { accept: MANIFEST_ACCEPT },
    accept: [200, 404, 401, 403, 405],
  };
  return place.exchange.ask(call, async ({ response }) => {
    await response.discard();
    return response.status === 200 && response.header("docker-content-digest") === descriptor.digest;
  });
}
