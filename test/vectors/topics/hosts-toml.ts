import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import {
  certFiles,
  ClientError,
  ConfiguredHosts,
  criDefaultScheme,
  type CriMirrors,
  criMirrorEndpoints,
  defaultHost,
  hasCapability,
  type HostCapability,
  hostDirectories,
  type HttpSend,
  matchLocalhost,
  parseHostsToml,
  RegistryClient,
} from "../../../src/client/index.ts";
import { fakeResponse, unauthorized } from "../../fake-token-service.ts";
import { byOperation, pick, text, type Topic, type Vector } from "../topic.ts";

const ALL: readonly HostCapability[] = ["pull", "resolve", "push", "referrers"];

export const topic: Topic = byOperation({
  async parseFile(vector) {
    const directory = vector["baseDir"] === undefined ? undefined : text(vector, "baseDir");
    const entries = await parseHostsToml(text(vector, "toml"), { directory }).catch((error: unknown) => {
      if (error instanceof ClientError) return "refused";
      throw error;
    });
    if (vector["usesCertFiles"] === true) return { actual: entries, expected: undefined };
    if (vector["error"] === true || typeof entries === "string") {
      return { actual: entries, expected: vector["error"] === true ? "refused" : vector["hosts"] };
    }
    const actual = entries?.map((entry) => ({
      ...entry,
      ca: entry.ca ?? [],
      client: entry.client ?? [],
      skipVerify: entry.skipVerify ?? null,
      dialTimeout: entry.dialTimeout === undefined ? null : goDuration(entry.dialTimeout),
    }));
    return { actual, expected: vector["hosts"] };
  },
  defaultHost(vector) {
    const scheme = vector["defaultScheme"];
    const found = defaultHost(text(vector, "host"), {
      defaultScheme: scheme === "http" || scheme === "https" ? scheme : undefined,
      tlsConfigured: vector["defaultTls"] === true,
    });
    const actual = { ...found, resultHost: found.host, path: "/v2", capabilities: ALL };
    const members = ["scheme", "httpFallback", "skipVerify", "resultHost", "path", "capabilities"].filter(
      (name) => Object.hasOwn(vector, name),
    );
    return { actual: pick(actual, members), expected: pick(vector, members) };
  },
  certFiles: (vector) => ({
    actual: certFiles(vector["files"] as readonly string[]),
    expected: pick(vector, ["ca", "client"]),
  }),
  hostDirectories: (vector) => ({
    actual: hostDirectories(text(vector, "host")),
    expected: vector["candidates"],
  }),
  criMirrorEndpoints: (vector) => ({
    actual: criMirrorEndpoints(vector["mirrors"] as CriMirrors, text(vector, "host")),
    expected: vector["endpoints"],
  }),
  criDefaultScheme: (vector) => ({
    actual: criDefaultScheme(text(vector, "host")),
    expected: vector["scheme"],
  }),
  matchLocalhost: (vector) => ({
    actual: matchLocalhost(text(vector, "host")),
    expected: vector["match"],
  }),
  hasCapability: (vector) => ({
    actual: hasCapability(
      vector["capabilities"] as readonly HostCapability[],
      vector["required"] as readonly HostCapability[],
    ),
    expected: vector["result"],
  }),
  async routing(vector) {
    const actual = await route(vector);
    return { actual, expected: pick(vector, Object.keys(actual)) };
  },
});

const MANIFEST = {
  status: 200,
  headers: {
    "content-type": "application/vnd.oci.image.manifest.v1+json",
    "content-length": "2",
    "docker-content-digest": `sha256:${"0".repeat(64)}`,
  },
};

/** Resolves a tag where the mirror and the server each want a token from a service of their own. */
async function route(vector: Vector): Promise<Record<string, unknown>> {
  const root = await mkdtemp(join(tmpdir(), "dray-routing-"));
  const up: Readonly<Record<string, unknown>> = {
    "mirror.test": vector["mirrorUp"],
    "server.test": vector["serverUp"],
  };
  const contacted = new Set<string>();
  let answeredBy: string | undefined;
  let tokenRequestUserAgent: string | undefined;
  const answer: HttpSend = ({ url, headers }) => {
    contacted.add(url.host);
    if (up[url.host] !== true) return Promise.resolve(fakeResponse(url, { status: 503 }));
    if (url.pathname === "/token") {
      tokenRequestUserAgent = headers["user-agent"];
      return Promise.resolve(fakeResponse(url, { status: 200, body: { token: url.host } }));
    }
    if (headers["authorization"] !== `Bearer ${url.host}`) {
      return Promise.resolve(unauthorized(url, `Bearer realm="https://${url.host}/token"`));
    }
    answeredBy = url.host.replace(/\.test$/, "");
    return Promise.resolve(fakeResponse(url, MANIFEST));
  };
  try {
    await mkdir(join(root, "upstream.test"));
    await writeFile(join(root, "upstream.test", "hosts.toml"), text(vector, "toml"));
    const hosts = new ConfiguredHosts({ roots: [root] });
    await using client = new RegistryClient({ hosts, send: answer, sleep: () => Promise.resolve() });
    await client.repository("upstream.test", "a/b").resolve("v1");
    return { answeredBy, tokenRequestUserAgent, upstreamContacted: contacted.has("upstream.test") };
  } finally {
    await rm(root, { recursive: true });
  }
}

/** Milliseconds the way Go prints a duration. */
function goDuration(milliseconds: number): string {
  if (milliseconds === 0) return "0s";
  if (milliseconds < 0) return `-${goDuration(-milliseconds)}`;
  if (milliseconds < 1e-3) return `${Math.round(milliseconds * 1e6)}ns`;
  if (milliseconds < 1) return `${milliseconds * 1e3}µs`;
  if (milliseconds < 1000) return `${milliseconds}ms`;
  const seconds = milliseconds / 1000;
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60)];
  const rest = Number((seconds % 60).toFixed(9));
  if (hours > 0) return `${hours}h${minutes}m${rest}s`;
  return minutes > 0 ? `${minutes}m${rest}s` : `${rest}s`;
}
