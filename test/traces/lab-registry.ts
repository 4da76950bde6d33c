/**
 * The registries of the recordings: they serve the recorded manifests and configs, ask for the recorded credentials,
 * and fail as they failed then.
 *
 * ```text
 * localhost:5001, 5010, 5020   nothing asked
 * localhost:5011               basic: alice, adam
 * localhost:5012               basic: bob
 * localhost:5021               tokens of localhost:5022: carol; anonymous for repositories that begin with token-public
 * ```
 *
 * 127.0.0.1 is another name of localhost.
 */
import type { RecordedImage, RecordedRequest, Recording } from "./recording.ts";
import type { VirtualClock } from "./virtual-clock.ts";

const ACCESS: Readonly<Record<string, "open" | "tokens" | "token service" | readonly string[]>> = {
  "localhost:5001": "open",
  "localhost:5010": "open",
  "localhost:5011": ["alice:alice-pw", "adam:adam-pw"],
  "localhost:5012": ["bob:bob-pw"],
  "localhost:5020": "open",
  "localhost:5021": "tokens",
  "localhost:5022": "token service",
};
const TOKEN_USER = "carol:carol-pw";
const REFRESH_TOKEN = "carol-refresh";

/** Who pulls by hand: somebody every registry lets in. */
export const INSIDERS: Readonly<Record<string, string>> = {
  "localhost:5011": "alice:alice-pw",
  "localhost:5012": "bob:bob-pw",
  "localhost:5021": TOKEN_USER,
};

interface Document {
  readonly text: string;
  readonly mediaType: string;
}

export class LabRegistry {
  /** What was asked and answered, in the recordings' own shape. */
  readonly requests: RecordedRequest[] = [];
  readonly #recording: Recording;
  readonly #clock: VirtualClock;
  readonly #start: number;
  readonly #notes: string;
  /** By `registry/repository@digest` and `registry/repository:tag`. */
  readonly #manifests = new Map<string, Document>();
  readonly #blobs = new Map<string, Document>();
  #repeating = false;

  constructor(recording: Recording, clock: VirtualClock) {
    this.#recording = recording;
    this.#clock = clock;
    this.#start = clock.now();
    this.#notes = (recording.registry.notes ?? []).join("\n");
  }

  push(image: RecordedImage): void {
    const name = `${image.registry}/${image.repository}`;
    const document = { text: image.indexText ?? image.manifestText ?? "", mediaType: image.mediaType };
    this.#manifests.set(`${name}@${image.digest}`, document);
    if (image.tag !== undefined) this.#manifests.set(`${name}:${image.tag}`, document);
    if (image.configDigest !== undefined && image.configText !== undefined) {
      const config = { text: image.configText, mediaType: "application/octet-stream" };
      this.#blobs.set(`${name}@${image.configDigest}`, config);
    }
    for (const { tag: _, ...child } of image.manifests ?? []) {
      this.push({ ...child, registry: image.registry, repository: image.repository });
    }
  }

  /** From now on failures are repeated as they were recorded. */
  startRepeating(): void {
    this.#repeating = true;
  }

  readonly fetch = async (request: Request): Promise<Response> => {
    const asked = new URL(request.url);
    const url = new URL(asked.href.replace(/^(https?:\/\/)127\.0\.0\.1:/, "$1localhost:"));
    const access = ACCESS[url.host];
    if (access === undefined) throw networkFailure(url);
    if (url.protocol === "https:") throw failure("ERR_SSL_WRONG_VERSION_NUMBER", "wrong version number");
    const t = this.#seconds();
    const body = request.method === "POST" ? await request.text() : undefined;
    const response = await this.#answer(request, url, body);
    this.requests.push({
      t,
      registry: url.host,
      method: request.method,
      path: `${url.pathname}${url.search}`,
      authorization: readable(request.headers.get("authorization")),
      status: response.status,
      ...(body !== undefined && { body }),
    });
    return response;
  };

  #seconds(): number {
    return (this.#clock.now() - this.#start) / 1000;
  }

  async #answer(request: Request, url: URL, body: string | undefined): Promise<Response> {
    const authorization = readable(request.headers.get("authorization"));
    if (ACCESS[url.host] === "token service") return this.#giveToken(url, authorization, body);
    const [, repository = "", kind = "", object = ""] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? [];
    if (repository === "") return refuse(404, "UNSUPPORTED");
    const refused = this.#refuse(url, repository, authorization);
    if (refused !== undefined) return refused;
    if (this.#repeating && url.host === "localhost:5020") {
      const [, slow = "", delay = "0"] =
        /(manifest|blob|)s? ?requests? .*takes? (\d+) seconds?/.exec(this.#notes) ?? [];
      if (delay !== "0" && kind.startsWith(slow)) await this.#clock.sleep(Number(delay) * 1000);
    }
    if (this.#repeating) await this.#clock.sleep(this.#recordedDelay(url, repository) * 1000);
    const head = request.method === "HEAD";
    const failed = this.#repeating ? this.#recordedFailure(url) : undefined;
    if (failed === 0) throw failure("ECONNRESET", "socket hang up");
    if (failed !== undefined) return this.#fail(failed, head);
    const name = `${url.host}/${repository}`;
    if (kind === "blobs") return this.#serveBlob(this.#blobs.get(`${name}@${object}`), head);
    const document = this.#manifests.get(object.includes(":") ? `${name}@${object}` : `${name}:${object}`);
    return this.#serveManifest(document, head);
  }

  #refuse(url: URL, repository: string, authorization: string | null): Response | undefined {
    const access = ACCESS[url.host];
    if (Array.isArray(access)) {
      if (access.some((user) => authorization === `Basic ${user}`)) return undefined;
      return refuse(401, "UNAUTHORIZED", { "www-authenticate": 'Basic realm="lab"' });
    }
    if (access !== "tokens") return undefined;
    const scope = `repository:${repository}:pull`;
    if (authorization === `Bearer ${tokenFor(scope)}`) return undefined;
    if (authorization !== null) {
      const recorded = this.#recorded(url).find(
        (entry) => entry.authorization?.startsWith("Bearer") === true,
      );
      if (recorded?.status === 403) return refuse(403, "DENIED");
    }
    const error = authorization === null ? "" : ',error="insufficient_scope"';
    const challenge = `Bearer realm="http://localhost:5022/token",service="lab-registry",scope="${scope}"${error}`;
    return refuse(401, "UNAUTHORIZED", { "www-authenticate": challenge });
  }

  #giveToken(url: URL, authorization: string | null, body: string | undefined): Response {
    const form = new URLSearchParams(body ?? url.search);
    const posted = form.has("username") ? `${form.get("username")}:${form.get("password")}` : undefined;
    const refreshed = form.get("refresh_token") === REFRESH_TOKEN ? TOKEN_USER : form.get("refresh_token");
    const user = posted ?? refreshed ?? authorization?.replace(/^Basic /, "");
    if (user !== undefined && user !== TOKEN_USER) return refuse(401, "UNAUTHORIZED");
    const scope = form.get("scope") ?? "";
    const isPublic = scope.startsWith("repository:token-public");
    const granted = isPublic || (user !== undefined && !/carries no scope/.test(this.#notes));
    const token = tokenFor(granted ? scope : "");
    return Response.json({ token, access_token: token, expires_in: 300 });
  }

  #recorded({ host, pathname }: URL): readonly RecordedRequest[] {
    return this.#recording.registryRequests.filter(
      ({ registry, path }) => registry === host && path === pathname,
    );
  }

  /** The status by which the registry failed at this path at about this time, if it did; 0 for none at all. */
  #recordedFailure(url: URL): number | undefined {
    // Where nothing is asked, a 401 is a failure like any other.
    const isOpen = ACCESS[url.host] === "open";
    const answers = this.#recorded(url).filter(({ status }) => isOpen || status !== 401);
    const now = this.#seconds();
    const answer = answers.findLast(({ t }) => t <= now + 1) ?? answers[0];
    const status = answer === undefined ? 200 : (answer.status ?? 0);
    return status === 0 || status >= 400 ? status : undefined;
  }

  /** Seconds from this request to the next that was seen of its pull, where that didn't take long. */
  #recordedDelay(url: URL, repository: string): number {
    const now = this.#seconds();
    const asked = this.#recorded(url).find(({ t, status }) => status !== 401 && Math.abs(t - now) < 0.05)?.t;
    if (asked === undefined) return 0;
    const { registryRequests, events } = this.#recording;
    const requests = registryRequests.filter(
      ({ t, path }) => t > asked && path.startsWith(`/v2/${repository}/`),
    );
    const ends = events.filter(
      ({ t, reason, message }) => t >= asked && reason !== "Pulling" && message.includes(`/${repository}`),
    );
    const next = [...requests, ...ends].map(({ t }) => t);
    const delay = Math.min(...next) - asked;
    return delay < 1 ? delay : 0;
  }

  #fail(status: number, head: boolean): Response {
    const seconds = /Retry-After: (\d+)/.exec(this.#notes)?.[1];
    const headers: Record<string, string> = seconds === undefined ? {} : { "retry-after": seconds };
    if (!/text\/html/.test(this.#notes)) return refuse(status, CODES[status] ?? "UNKNOWN", headers, head);
    return new Response(head ? null : HTML, { status, headers: { ...headers, "content-type": "text/html" } });
  }

  #serveManifest(document: Document | undefined, head: boolean): Response {
    let { text, mediaType } = document ?? { text: "", mediaType: "" };
    if (this.#repeating && /schema 1/.test(this.#notes)) {
      text = JSON.stringify({ schemaVersion: 1 });
      mediaType = "application/vnd.docker.distribution.manifest.v1+prettyjws";
    } else if (this.#repeating && /status 200, text\/html/.test(this.#notes)) {
      text = HTML;
      mediaType = "text/html";
    } else if (document === undefined) return refuse(404, "MANIFEST_UNKNOWN", {}, head);
    const headers: Record<string, string> = {
      "content-type": mediaType,
      "content-length": String(Buffer.byteLength(text)),
    };
    const digest = [...this.#manifests].find(
      ([name, { text }]) => text === document?.text && name.includes("@"),
    );
    if (digest !== undefined && !/no Docker-Content-Digest/.test(this.#notes)) {
      headers["docker-content-digest"] = digest[0].slice(digest[0].indexOf("@") + 1);
    }
    return new Response(head ? null : text, { headers });
  }

  #serveBlob(document: Document | undefined, head: boolean): Response {
    if (document === undefined) return refuse(404, "BLOB_UNKNOWN", {}, head);
    const bytes = Buffer.from(document.text);
    if (this.#repeating && /byte of every blob is changed/.test(this.#notes)) bytes[0] = (bytes[0] ?? 0) ^ 1;
    const headers = { "content-type": document.mediaType, "content-length": String(bytes.length) };
    return new Response(head ? null : bytes, { headers });
  }
}

const HTML = "<html><body>Lab</body></html>";
const CODES: Readonly<Record<number, string>> = {
  401: "UNAUTHORIZED",
  403: "DENIED",
  404: "MANIFEST_UNKNOWN",
  429: "TOOMANYREQUESTS",
};

function tokenFor(scope: string): string {
  return `tok.${Buffer.from(scope).toString("base64")}`;
}

/** Basic credentials decoded, as the recordings have them. */
function readable(authorization: string | null): string | null {
  const encoded = /^Basic (.*)$/.exec(authorization ?? "")?.[1];
  return encoded === undefined ? authorization : `Basic ${Buffer.from(encoded, "base64").toString()}`;
}

function refuse(status: number, code: string, headers: Record<string, string> = {}, head = false): Response {
  const body = JSON.stringify({ errors: [{ code, message: code.toLowerCase() }] });
  return new Response(head ? null : body, {
    status,
    headers: { "content-type": "application/json", ...headers },
  });
}

function networkFailure({ hostname }: URL): Error {
  return hostname === "localhost" || /^(?:127\.|\[::1\]$)/.test(hostname)
    ? failure("ECONNREFUSED", "connect ECONNREFUSED")
    : failure("ENOTFOUND", `getaddrinfo ENOTFOUND ${hostname}`);
}

function failure(code: string, message: string): Error {
  return Object.assign(new Error(message), { code });
}
