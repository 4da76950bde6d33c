import type { Digest, SignalOptions } from "../oci/index.ts";
import { isTag, routes } from "../oci/index.ts";
import { ClientError } from "./errors.ts";
import type { Call } from "./exchange.ts";
import { readManifest } from "./manifests.ts";
import { below, nameOf, type Place } from "./place.ts";
import { repositoryScope } from "./scope.ts";
import { type SubjectLinks, unlinkSubject } from "./subject.ts";
import { pushHost } from "./uploads.ts";

/**
 * Deletes a manifest, and with it every tag that points at it. False when there was none.
 *
 * @throws ClientError `UNSUPPORTED` where the registry doesn't delete
 */
export async function deleteManifest(
  place: Place,
  links: SubjectLinks,
  digest: Digest,
  options: SignalOptions = {},
): Promise<boolean> {
  const { signal } = options;
  const document = await readManifest(place, { digest }, options).catch((error: unknown) => {
    if (error instanceof ClientError && error.status === 404) return undefined;
    throw error;
  });
  const deleted = await remove(place, {
    target: routes.manifest(place.repository, digest),
    what: `manifest "${digest}"`,
    signal,
  });
  if (deleted && document !== undefined) {
    const host = await pushHost(place, signal);
    await unlinkSubject({ place, links, ...document }, { host, signal });
  }
  return deleted;
}

/**
 * Deletes a tag and nothing else. Registries that can only delete whole manifests refuse; doing that instead would
 * take other tags along.
 *
 * @throws ClientError `UNSUPPORTED`
 */
export async function deleteTag(place: Place, tag: string, options: SignalOptions = {}): Promise<boolean> {
  if (!isTag(tag))
    throw new ClientError("MANIFEST_UNKNOWN", `Cannot delete tag ${JSON.stringify(tag)}: not a tag`);
  const target = routes.manifest(place.repository, tag);
  try {
    return await remove(place, { target, what: `tag "${tag}"`, signal: options.signal });
  } catch (error) {
    if (!(error instanceof ClientError) || (error.status !== 400 && error.status !== 405)) throw error;
    const why = `this registry deletes manifests only, by digest, which would delete their other tags too`;
    throw new ClientError("UNSUPPORTED", `Cannot delete tag "${tag}" from ${nameOf(place)}: ${why}`, {
      cause: error,
      status: error.status,
      registryErrors: error.registryErrors,
    });
  }
}

/** Deletes a blob; false when there was none. Manifests that need it break. */
export function deleteBlob(place: Place, digest: Digest, options: SignalOptions = {}): Promise<boolean> {
  return remove(place, {
    target: routes.blob(place.repository, digest),
    what: `blob "${digest}"`,
    signal: options.signal,
  });
}

async function remove(
  place: Place,
  {
    target,
    what,
    signal,
  }: { readonly target: string; readonly what: string; readonly signal: AbortSignal | undefined },
): Promise<boolean> {
  const call: Call = {
    domain: place.domain,
    repository: place.repository,
    scopes: [repositoryScope(place.repository, ["delete", "pull"])],
    capabilities: ["push"],
    hosts: [await pushHost(place, signal)],
    method: "DELETE",
    target: below(target),
    accept: [202, 200, 204, 404],
    action: `delete ${what} from ${nameOf(place)}`,
    signal,
  };
  return place.exchange.ask(call, async ({ response }) => {
    await response.discard();
    return response.status !== 404;
  });
}
