/** Registries that behave as a few lines of YAML say, under any name and without a network. */
import { createHash } from "node:crypto";

import { ClientError, type ClientErrorCode, fetchTransport, type HttpSend } from "../../src/client/index.ts";

export interface ScriptedImage {
  /** `linux/amd64` by default. */
  readonly platform?: string;
  /** An index of these instead. */
  readonly platforms?: readonly string[];
  readonly schema1?: boolean;
  /** The manifest ends in the middle. */
  readonly cut?: boolean;
  /** The config's bytes aren't those of its digest. */
  readonly corrupt?: "config";
  /** The type of its config; an image's by default. */
  readonly configType?: string;
  /** The registry doesn't have it. */
  readonly lost?: "layer" | "config";
  /** Another number is another image. */
  readonly version?: number;
  /** Served instead of the manifest. */
  readonly garbage?: "empty" | "html" | "json" | "strange";
  /** `Docker-Content-Digest` names something else. */
  readonly lies?: boolean;
}

export interface ScriptedRegistry {
  /** By `repository:tag`. */
  readonly images?: Readonly<Record<string, ScriptedImage>>;
  /** The host whose layers it has copies of; its own by default. */
  readonly copies?: string;
  /** Passwords by user; anybody may pull without. */
  readonly users?: Readonly<Record<string, string>>;
  /** How it asks who is there; `basic` by default. */
  readonly auth?: "basic" | "token";
  /** Repositories that a user may pull; all by default. */
  readonly grants?: Readonly<Record<string, readonly string[]>>;
  readonly tokenStatus?: number;
  /** Its refusals quote what they were sent. */
  readonly echo?: boolean;
  /** No answer, but this. */
  readonly fail?: ClientErrorCode;
  /** The same answer to everything. */
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly html?: boolean;
  readonly wantsTls?: boolean;
  /** It is slow: `sleep` is called with so many milliseconds before each answer. */
  readonly delay?: number;
  /** HEAD is beyond it. */
  readonly headless?: boolean;
}

export interface ScriptedOptions {
  /** Layers can be fetched, too. */
  readonly layers?: boolean;
  readonly sleep?: (milliseconds: number, signal?: AbortSignal) => Promise<void>;
}

interface Served {
  readonly mediaType: string;
  readonly body: string;
  readonly digest: string;
  /** As a header says. */
  readonly claimed?: string;
}

const OCI = "application/vnd.oci.image";

const GARBAGE = {
  empty: { mediaType: `${OCI}.manifest.v1+json`, body: "" },
  html: { mediaType: "text/html", body: "<!doctype html><p>Log in" },
  json: { mediaType: `${OCI}.manifest.v1+json`, body: '{"schemaVersion":2}' },
  strange: { mediaType: "application/vnd.strange+json", body: "{}" },
} as const;

export class ScriptedRegistries {
  /** What was asked, as `METHOD url`. */
  readonly requests: string[] = [];
  /** Tokens that were given away. */
  readonly tokens: string[] = [];
  readonly #script: Readonly<Record<string, ScriptedRegistry>>;
  readonly #manifests = new Map<string, Served>();
  readonly #blobs = new Map<string, Served | number>();
  readonly #granted = new Map<string, string>();
  readonly #options: ScriptedOptions;

  constructor(script: Readonly<Record<string, ScriptedRegistry>>, options: ScriptedOptions = {}) {
    this.#script = script;
    this.#options = options;
    for (const [host, { images = {} }] of Object.entries(script)) {
      for (const [name, image] of Object.entries(images)) this.#push(host, name, image);
    }
  }

  readonly send: HttpSend = fetchTransport((request) => this.#answer(request));

  /** Of what a name stands for at a host; undefined for nothing. */
  digestOf(host: string, name: string): string | undefined {
    return this.#manifests.get(`${host}/${name}`)?.digest;
  }

  async #answer(request: Request): Promise<Response> {
    const url = new URL(request.url);
    this.requests.push(`${request.method} ${request.url}`);
    const registry = this.#script[url.host];
    if (registry?.delay !== undefined) await this.#options.sleep?.(registry.delay, request.signal);
    if (registry === undefined)
      throw new ClientError("NETWORK_DNS", `Cannot reach "${url.host}": no address found`);
    if (registry.fail !== undefined) {
      throw new ClientError(registry.fail, `Cannot reach "${url.host}": ${registry.fail.toLowerCase()}`);
    }
    if (registry.wantsTls === true && url.protocol === "http:") {
      return new Response("Client sent an HTTP request to an HTTPS server.\n", { status: 400 });
    }
    const { status, headers = {}, html = false } = registry;
    if (status !== undefined) {
      const type = html ? "text/html" : "application/json";
      const body = html ? "<!doctype html>" : JSON.stringify({ errors: [] });
      return new Response(request.method === "HEAD" ? null : body, {
        status,
        headers: { ...headers, "content-type": type },
      });
    }
    if (url.pathname === "/token") return await this.#giveToken(request, url, registry);
    const [, repository = "", kind = "", object = ""] =
      /^\/v2\/(.+)\/(manifests|blobs)\/([^/]+)$/.exec(url.pathname) ?? [];
    const refused = this.#refuse(request, url, { registry, repository });
    if (refused !== undefined) return refused;
    const head = request.method === "HEAD";
    if (head && registry.headless === true) return new Response(null, { status: 405 });
    if (kind === "blobs") return serveBlob(this.#blobs.get(`${url.host}/${repository}@${object}`), head);
    const separator = object.includes(":") ? "@" : ":";
    const found = this.#manifests.get(`${url.host}/${repository}${separator}${object}`);
    if (found !== undefined) return serve(found, head);
    const known = Object.keys(registry.images ?? {}).some((name) => name.startsWith(`${repository}:`));
    return refuse(404, known ? "MANIFEST_UNKNOWN" : "NAME_UNKNOWN");
  }

  #refuse(
    request: Request,
    url: URL,
    { registry, repository }: { readonly registry: ScriptedRegistry; readonly repository: string },
  ): Response | undefined {
    const { users, auth = "basic" } = registry;
    if (users === undefined) return undefined;
    const authorization = request.headers.get("authorization");
    if (auth === "basic") {
      if (userOf(authorization, users) !== undefined) return undefined;
      return refuse(401, "UNAUTHORIZED", { "www-authenticate": 'Basic realm="scripted"' });
    }
    const scope = `repository:${repository}:pull`;
    if (this.#granted.get(authorization?.replace(/^Bearer /, "") ?? "") === scope) return undefined;
    const error = authorization === null ? "" : ',error="insufficient_scope"';
    const challenge = `Bearer realm="${url.origin}/token",service="${url.host}",scope="${scope}"${error}`;
    return refuse(401, "UNAUTHORIZED", { "www-authenticate": challenge });
  }

  async #giveToken(request: Request, url: URL, registry: ScriptedRegistry): Promise<Response> {
    const { users = {}, grants, tokenStatus, echo = false } = registry;
    if (tokenStatus !== undefined) return refuse(tokenStatus, "UNKNOWN");
    const form = new URLSearchParams(request.method === "POST" ? await request.text() : url.search);
    const posted = form.get("username");
    const login =
      posted === null
        ? request.headers.get("authorization")
        : `Basic ${encode(`${posted}:${form.get("password") ?? ""}`)}`;
    const user = userOf(login, users);
    if (login !== null && user === undefined) {
      const said = echo ? `wrong password ${form.get("password") ?? ""} in ${login}` : "wrong password";
      return refuse(401, "UNAUTHORIZED", {}, said);
    }
    const scope = form.get("scope") ?? "";
    const [, name = ""] = scope.split(":");
    const granted = user !== undefined && (grants?.[user]?.includes(name) ?? true);
    const access = granted ? [{ type: "repository", name, actions: ["pull"] }] : [];
    const token = [{ alg: "none" }, { sub: user, access, n: this.tokens.length }]
      .map((part) => Buffer.from(JSON.stringify(part)).toString("base64url"))
      .join(".")
      .concat(".signature");
    this.tokens.push(token);
    if (granted) this.#granted.set(token, scope);
    return Response.json({ token, access_token: token, expires_in: 300 });
  }

  #push(host: string, name: string, image: ScriptedImage): void {
    const [repository = ""] = name.split(":");
    const place = `${host}/${repository}`;
    const { platforms } = image;
    const served =
      platforms === undefined
        ? this.#pushManifest(place, image.platform ?? "linux/amd64", image)
        : this.#pushIndex(place, platforms, image);
    const claimed = image.lies === true ? { ...served, claimed: digestOf("a lie") } : served;
    this.#manifests.set(`${host}/${name}`, claimed);
  }

  #pushIndex(place: string, platforms: readonly string[], image: ScriptedImage): Served {
    const manifests = platforms.map((platform) => {
      const { digest, mediaType, body } = this.#pushManifest(place, platform, image);
      const [os, architecture] = platform.split("/");
      return { mediaType, digest, size: body.length, platform: { os, architecture } };
    });
    return this.#keep(
      place,
      `${OCI}.index.v1+json`,
      JSON.stringify({ schemaVersion: 2, mediaType: `${OCI}.index.v1+json`, manifests }),
    );
  }

  #pushManifest(place: string, platform: string, image: ScriptedImage): Served {
    if (image.schema1 === true) {
      return this.#keep(
        place,
        "application/vnd.docker.distribution.manifest.v1+prettyjws",
        '{"schemaVersion":1}',
      );
    }
    if (image.garbage !== undefined) {
      const { mediaType, body } = GARBAGE[image.garbage];
      return this.#keep(place, mediaType, body);
    }
    const [os, architecture] = platform.split("/");
    const { version } = image;
    const config = JSON.stringify({ os, architecture, rootfs: { type: "layers", diff_ids: [] }, version });
    const content = `layer ${this.#originOf(place)}`;
    const layers = this.#options.layers === true;
    const layer = {
      mediaType: `${OCI}.layer.v1.tar+gzip`,
      digest: digestOf(content),
      size: layers ? content.length : 1_200_000,
    };
    const mediaType = image.configType ?? `${OCI}.config.v1+json`;
    const body = image.corrupt === "config" ? config.replace("linux", "linuX") : config;
    if (image.lost !== "config")
      this.#blobs.set(`${place}@${digestOf(config)}`, { mediaType, body, digest: digestOf(config) });
    const served = layers ? { ...layer, body: content } : layer.size;
    if (image.lost !== "layer") this.#blobs.set(`${place}@${layer.digest}`, served);
    const text = JSON.stringify({
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: { mediaType, digest: digestOf(config), size: config.length },
      layers: [layer],
    });
    return this.#keep(place, `${OCI}.manifest.v1+json`, image.cut === true ? text.slice(0, -20) : text);
  }

  #originOf(place: string): string {
    const slash = place.indexOf("/");
    return (this.#script[place.slice(0, slash)]?.copies ?? place.slice(0, slash)) + place.slice(slash);
  }

  #keep(place: string, mediaType: string, body: string): Served {
    const served = { mediaType, body, digest: digestOf(body) };
    this.#manifests.set(`${place}@${served.digest}`, served);
    return served;
  }
}

function userOf(authorization: string | null, users: Readonly<Record<string, string>>): string | undefined {
  return Object.entries(users).find(
    ([user, password]) => authorization === `Basic ${encode(`${user}:${password}`)}`,
  )?.[0];
}

function serve({ mediaType, body, digest, claimed = digest }: Served, head: boolean): Response {
  const headers = {
    "content-type": mediaType,
    "content-length": String(body.length),
    "docker-content-digest": claimed,
  };
  return new Response(head ? null : body, { headers });
}

function serveBlob(blob: Served | number | undefined, head: boolean): Response {
  if (blob === undefined) return refuse(404, "BLOB_UNKNOWN");
  if (typeof blob !== "number") return serve(blob, head);
  if (!head) throw new Error("explaining fetched a layer");
  return new Response(null, { headers: { "content-length": String(blob) } });
}

function refuse(status: number, code: string, headers: Record<string, string> = {}, message = ""): Response {
  return Response.json({ errors: [{ code, message }] }, { status, headers });
}

function digestOf(text: string): string {
  return `sha256:${createHash("sha256").update(text).digest("hex")}`;
}

function encode(text: string): string {
  return Buffer.from(text).toString("base64");
}
