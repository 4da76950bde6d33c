import type { Digest } from "../oci/index.ts";
import { routes } from "../oci/index.ts";
import { ClientError } from "./errors.ts";
import type { Call } from "./exchange.ts";
import type { RegistryHost } from "./host.ts";
import type { HttpBodySource, HttpResponse } from "./http.ts";
import { algorithmQuery, below, nameOf, withQuery, type Place } from "./place.ts";
import { guardInternal } from "./redirect.ts";
import { repositoryScope } from "./scope.ts";

export interface SessionOptions {
  readonly place: Place;
  readonly host: RegistryHost;
  readonly digest: Digest;
  readonly signal: AbortSignal | undefined;
  /** A repository of the same registry that may have the blob. */
  readonly from?: string | undefined;
}

/** An upload under way. The registry names a new place for it with every answer, and only the newest counts. */
export class UploadSession {
  readonly #options: SessionOptions;
  #location: URL;
  /** Bytes every part but the last must have. */
  readonly minimum: number;

  private constructor(options: SessionOptions, response: HttpResponse) {
    this.#options = options;
    this.#location = locationOf(options, response);
    const minimum = response.header("oci-chunk-min-length") ?? "";
    this.minimum = /^[0-9]{1,12}$/.test(minimum) ? Number(minimum) : 0;
  }

  /** Begins an upload; `undefined` when the registry linked the blob from the other repository instead. */
  static async start(options: SessionOptions): Promise<UploadSession | undefined> {
    const { place, digest, from } = options;
    const mount =
      from === undefined
        ? []
        : ([
            ["mount", digest],
            ["from", from],
          ] as const);
    const target = withQuery(below(routes.uploads(place.repository)), [...mount, ...algorithmQuery(digest)]);
    // An upload begun twice leaves an empty one behind, which registries clear away.
    const call: Call = {
      ...baseCall(options),
      method: "POST",
      target,
      accept: [201, 202, 200, 204],
      repeatable: true,
    };
    return place.exchange.ask(call, async ({ response }) => {
      await response.discard();
      if (response.status === 201 && from !== undefined) return undefined;
      return new UploadSession(options, response);
    });
  }

  /** Sends one part that isn't the end. */
  append(body: HttpBodySource, range: { readonly from: number; readonly to: number }): Promise<void> {
    const headers = {
      "content-type": "application/octet-stream",
      "content-range": `${range.from}-${range.to - 1}`,
    };
    const call: Call = {
      ...baseCall(this.#options),
      method: "PATCH",
      target: this.#location,
      headers,
      body,
      accept: [202, 201, 200, 204],
    };
    return this.#options.place.exchange.ask(call, async ({ response }) => {
      await response.discard();
      this.#location = locationOf(this.#options, response, this.#location);
    });
  }

  /** Sends what is left and asks the registry to accept the whole. */
  finish(body: HttpBodySource | undefined): Promise<void> {
    const { digest, place } = this.#options;
    const target = new URL(this.#location);
    // Not through searchParams: signed addresses must keep every other byte as it came.
    target.search = `${target.search === "" ? "?" : `${target.search}&`}digest=${encodeURIComponent(digest)}`;
    const headers = { "content-type": "application/octet-stream" };
    const call: Call = {
      ...baseCall(this.#options),
      method: "PUT",
      target,
      headers,
      body: body ?? new Uint8Array(0),
      accept: [201, 200, 204],
      // After a failure nobody knows how much arrived; the session is asked before anything is sent again.
      repeatable: false,
    };
    return place.exchange.ask(call, async ({ response }) => {
      await response.discard();
      const accepted = response.header("docker-content-digest");
      if (accepted === undefined || accepted === digest) return;
      throw new ClientError(
        "DIGEST_INVALID",
        `Cannot ${call.action}: the registry stored ${JSON.stringify(accepted.slice(0, 160))}`,
      );
    });
  }

  /** How many bytes the registry has, `ambiguous` where it says `0-0`; `undefined` when it has forgotten the upload. */
  status(ambiguous: number): Promise<number | undefined> {
    const call: Call = {
      ...baseCall(this.#options),
      method: "GET",
      target: this.#location,
      accept: [204, 200, 404],
    };
    return this.#options.place.exchange.ask(call, async ({ response }) => {
      await response.discard();
      if (response.status === 404) return undefined;
      this.#location = locationOf(this.#options, response, this.#location);
      const last = /^(?:bytes=)?0-([0-9]{1,15})$/.exec(response.header("range") ?? "");
      if (last === null) return 0;
      return last[1] === "0" ? ambiguous : Number(last[1]) + 1;
    });
  }

  /** Tells the registry to forget it; that it may not listen is no failure. */
  async cancel(): Promise<void> {
    const call: Call = {
      ...baseCall(this.#options),
      method: "DELETE",
      target: this.#location,
      repeatable: false,
      signal: AbortSignal.timeout(5000),
    };
    await this.#options.place.exchange.ask(call, ({ response }) => response.discard()).catch(() => {});
  }
}

function baseCall({ place, host, digest, signal, from }: SessionOptions): Omit<Call, "method" | "target"> {
  return {
    domain: place.domain,
    repository: place.repository,
    scopes: [
      repositoryScope(place.repository, ["pull", "push"]),
      ...(from === undefined ? [] : [repositoryScope(from, ["pull"])]),
    ],
    capabilities: ["push"],
    hosts: [host],
    action: `upload blob "${digest}" to ${nameOf(place)}`,
    missing: "NAME_UNKNOWN",
    signal,
  };
}

/**
 * Where the upload goes on.
 *
 * @throws ClientError `RESPONSE_INVALID`, `REDIRECT_REFUSED`
 */
function locationOf({ place, digest }: SessionOptions, response: HttpResponse, previous?: URL): URL {
  const text = response.header("location") ?? previous?.href ?? "";
  if (text === "" || !URL.canParse(text, response.url.href)) {
    throw new ClientError(
      "RESPONSE_INVALID",
      `Cannot upload blob "${digest}" to ${nameOf(place)}: the registry named no place for it`,
    );
  }
  const location = new URL(text, response.url);
  if (location.protocol !== "https:" && location.protocol !== "http:") {
    throw new ClientError(
      "REDIRECT_REFUSED",
      `Cannot upload blob "${digest}" to ${nameOf(place)}: it should go to a ${JSON.stringify(location.protocol)} address`,
    );
  }
  // Behind a proxy that ends TLS, a registry easily takes its own scheme for http.
  if (
    location.hostname === response.url.hostname &&
    location.protocol === "http:" &&
    response.url.protocol === "https:"
  ) {
    if (location.port === "" || location.port === response.url.port) location.protocol = "https:";
  }
  guardInternal(location, { origin: response.url, peer: response.peer });
  return location;
}
