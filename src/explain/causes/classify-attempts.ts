/** What the registries' answers mean, where it isn't about who asked. */
import type {
  Advice,
  AttemptTrace,
  ErrorTrace,
  ExchangeTrace,
  Finding,
  ImageTrace,
  PodTrace,
} from "../trace.ts";
import { changeImage, lookAt, makeSecret, nameSecret, shell } from "./advice.ts";
import { causeOfText } from "./classify-text.ts";
import type { CauseCode } from "./codes.ts";
import { finding } from "./finding.ts";

type Pod = Omit<PodTrace, "images" | "causes">;

const BY_CODE: Readonly<Record<string, CauseCode>> = {
  BLOB_UNKNOWN: "CONTENT_MISSING",
  PLATFORM_UNKNOWN: "PLATFORM_MISSING",
  MANIFEST_UNSUPPORTED: "MANIFEST_UNSUPPORTED",
  UNSUPPORTED: "MANIFEST_UNSUPPORTED",
  MANIFEST_INVALID: "MANIFEST_INVALID",
  SIZE_INVALID: "MANIFEST_INVALID",
  DIGEST_INVALID: "DIGEST_MISMATCH",
  NETWORK_DNS: "DNS_FAILED",
  NETWORK_REFUSED: "CONNECTION_REFUSED",
  NETWORK_TIMEOUT: "CONNECTION_TIMEOUT",
  NETWORK_RESET: "CONNECTION_CUT",
  NETWORK_UNREACHABLE: "HOST_UNREACHABLE",
  TLS_UNKNOWN_AUTHORITY: "TLS_UNKNOWN_AUTHORITY",
  TLS_NAME_MISMATCH: "TLS_NAME_MISMATCH",
  TLS_EXPIRED: "TLS_EXPIRED",
  TLS_NOT_SPOKEN: "HTTP_NOT_HTTPS",
  TLS_FAILED: "TLS_FAILED",
  PROXY_FAILED: "PROXY_FAILED",
  TOOMANYREQUESTS: "RATE_LIMITED",
  TOKEN_FAILED: "TOKEN_SERVICE_FAILED",
  REALM_REFUSED: "TOKEN_SERVICE_FAILED",
  HOSTS_INVALID: "MIRROR_MISCONFIGURED",
  CHALLENGE_INVALID: "RESPONSE_INVALID",
  REDIRECT_REFUSED: "RESPONSE_INVALID",
};

/** Of an attempt that failed for another reason than who asked. */
export function classifyAttempt(attempt: AttemptTrace, image: ImageTrace, pod: Pod): readonly Finding[] {
  const { error } = attempt;
  if (error === undefined) return [];
  const code = codeOf(error, attempt, image);
  const own = describe(code, { error, attempt, image, pod });
  const last = attempt.exchanges.at(-1);
  // The registry is fine, and the service it sends to isn't.
  if (last?.purpose !== "token" || code === "TOKEN_SERVICE_FAILED" || code === "RATE_LIMITED") return [own];
  const summary = `The token service of ${image.name.registry ?? ""} can't be used: ${error.message}`;
  return code === "REGISTRY_ERROR"
    ? [finding("TOKEN_SERVICE_FAILED", "failure", summary)]
    : [finding("TOKEN_SERVICE_FAILED", "failure", summary), own];
}

const BY_STATUS: Readonly<Record<number, CauseCode>> = { 407: "PROXY_FAILED", 451: "ACCESS_DENIED" };

/** What takes plain HTTP for nonsense, and wasn't found to speak nothing else. */
function speaksTls(exchanges: readonly ExchangeTrace[]): boolean {
  const last = exchanges.at(-1)?.url ?? "";
  if (!last.startsWith("http://")) return false;
  const { host } = new URL(last);
  return !exchanges.some(({ url }) => url.startsWith("https://") && new URL(url).host === host);
}

function codeOf(error: ErrorTrace, { exchanges }: AttemptTrace, { name }: ImageTrace): CauseCode {
  const { code, status = 0, message, said } = error;
  if (code === "MANIFEST_UNKNOWN" || code === "NAME_UNKNOWN") {
    if (said.some((entry) => entry.code === "NAME_UNKNOWN")) return "REPOSITORY_MISSING";
    return name.digest === undefined ? "TAG_MISSING" : "DIGEST_MISSING";
  }
  // A refusal is only called invalid for being a web page.
  if (code === "RESPONSE_INVALID")
    return status >= 400 || message.includes("HTML page") ? "NOT_A_REGISTRY" : "RESPONSE_INVALID";
  if (code === "STATUS_UNEXPECTED") {
    if (status >= 500) return "REGISTRY_ERROR";
    if (status === 400 && speaksTls(exchanges)) return "HTTPS_REQUIRED";
    return BY_STATUS[status] ?? "RESPONSE_INVALID";
  }
  return BY_CODE[code] ?? "RESPONSE_INVALID";
}

interface Known {
  readonly error: ErrorTrace;
  readonly attempt: AttemptTrace;
  readonly image: ImageTrace;
  readonly pod: Pod;
}

function describe(code: CauseCode, known: Known): Finding {
  return OWN_WORDS[code]?.(known) ?? finding(code, "failure", known.error.message);
}

/** Causes that have more to say than the error. */
const OWN_WORDS: Readonly<Partial<Record<CauseCode, (known: Known) => Finding>>> = {
  TAG_MISSING: ({ error, image, pod }) => {
    const { tag = "" } = image.name;
    const summary = `${placeOf(image)} has no tag ${JSON.stringify(tag)}${orRepository(error)}`;
    return finding("TAG_MISSING", "failure", summary, [
      lookAt("See which tags there are", `dray tags ${shell(placeOf(image))}`),
      changeImage(pod, image, `${writtenRepository(image)}:TAG`),
    ]);
  },
  DIGEST_MISSING: ({ image, pod }) => {
    const summary = `${placeOf(image)} has nothing with digest ${image.name.digest ?? ""}`;
    return finding("DIGEST_MISSING", "failure", summary, [
      lookAt("See what a tag stands for", `dray digest ${shell(`${placeOf(image)}:TAG`)}`),
      changeImage(pod, image, `${writtenRepository(image)}@sha256:DIGEST`),
    ]);
  },
  REPOSITORY_MISSING: ({ image, pod }) => missingRepository(image, pod, "failure"),
  NOT_A_REGISTRY: ({ error }) => {
    const { status = 0, message } = error;
    if (status < 400) return finding("NOT_A_REGISTRY", "failure", message);
    const answered = message.replace(/, (no such [a-z ]+ there|an HTML page)$/, "");
    const summary = `${answered} with a web page, where a registry answers in JSON`;
    return finding("NOT_A_REGISTRY", "failure", summary);
  },
  PLATFORM_MISSING: ofPlatform,
  RATE_LIMITED: ofRateLimit,
  CONNECTION_REFUSED: ({ error, image, pod }) =>
    finding("CONNECTION_REFUSED", "failure", error.message, localAdvice(image, pod)),
  HTTP_NOT_HTTPS: ({ error, image }) =>
    finding("HTTP_NOT_HTTPS", "failure", error.message, [
      {
        text: `${hostsFile(image)}, on every node, if the network can be trusted`,
        yaml: `server = "http://${image.name.registry ?? ""}"`,
      },
    ]),
  TLS_UNKNOWN_AUTHORITY: ({ error, image }) =>
    finding("TLS_UNKNOWN_AUTHORITY", "failure", error.message, [
      {
        text: `${hostsFile(image)}, on every node`,
        yaml: `server = "https://${image.name.registry ?? ""}"\nca = "/etc/ssl/certs/OWN-CA.pem"`,
      },
      lookAt(
        "Try it from here",
        `dray digest --tls-ca OWN-CA.pem ${shell(image.name.normalised ?? image.name.written)}`,
      ),
    ]),
};

/** Podman puts `localhost/` before what was built where it runs; elsewhere nothing answers to that. */
export function localAdvice(image: ImageTrace, pod: Pod): readonly Advice[] {
  const { registry, repository = "", tag = "TAG", written } = image.name;
  if (registry !== "localhost") return [];
  const to = `REGISTRY/${repository}:${tag}`;
  const text =
    "localhost is the node itself; an image that Podman calls so has to be pushed to a registry that nodes can reach";
  return [{ text, command: `podman push ${shell(written)} ${shell(to)}` }, changeImage(pod, image, to)];
}

export function missingRepository(image: ImageTrace, pod: Pod, severity: Finding["severity"]): Finding {
  const { registry = "", repository = "" } = image.name;
  const summary = `${registry} has no repository ${JSON.stringify(repository)}${hubWords(image)}`;
  return finding("REPOSITORY_MISSING", severity, summary, [
    changeImage(pod, image, "REGISTRY/REPOSITORY:TAG"),
  ]);
}

/** Its repository, with the registry. */
export function placeOf({ name }: ImageTrace): string {
  return `${name.registry ?? ""}/${name.repository ?? ""}`;
}

function hostsFile({ name }: ImageTrace): string {
  return `In /etc/containerd/certs.d/${name.registry ?? ""}/hosts.toml`;
}

function ofPlatform({ image, pod }: Known): Finding {
  const { name, content } = image;
  const offered = content?.platformsOffered ?? [];
  const arch = [...new Set(offered.map((platform) => platform.split("/")[1] ?? ""))].filter(
    (one) => one !== "",
  );
  const summary = `${name.normalised ?? name.written} has nothing for ${pod.node.platform}; it has ${offered.join(", ") || "no platform at all"}`;
  return finding("PLATFORM_MISSING", "failure", summary, [
    {
      text: "Build for this platform, too",
      command: `docker buildx build --platform ${[...offered, pod.node.platform].join(",")} -t ${shell(name.written)} --push .`,
    },
    ...(arch.length === 0
      ? []
      : [
          {
            text: "Or keep the Pod on nodes that fit",
            yaml: `nodeSelector:\n  kubernetes.io/arch: ${arch[0]}`,
          },
        ]),
  ]);
}

function ofRateLimit({ error, attempt, image, pod }: Known): Finding {
  const { registry = "" } = image.name;
  const limit = attempt.exchanges.findLast(({ rateLimit }) => rateLimit !== undefined)?.rateLimit;
  const reset =
    error.retryAfter === undefined ? "" : `; come again in ${Math.ceil(error.retryAfter / 1000)} s`;
  const who = attempt.as === "anonymous" ? "as nobody" : `as ${attempt.as}`;
  const summary = `${registry} limits us (${who}): ${limit ?? "it doesn't say how much is left"}${reset}`;
  const login =
    attempt.as === "anonymous" ? [makeSecret(pod, [registry], "regcred"), ...nameSecret(pod, "regcred")] : [];
  return finding("RATE_LIMITED", "failure", summary, login);
}

/** Many registries say the same of both. */
function orRepository({ said }: ErrorTrace): string {
  return said.length === 0 ? " (or there is no such repository; the registry doesn't say which)" : "";
}

export function hubWords({ name }: ImageTrace): string {
  const { registry, written } = name;
  return registry === "docker.io" && !written.startsWith("docker.io/")
    ? "; a name without a registry is Docker Hub's"
    : "";
}

/** The name without tag and digest, as the user spells it. */
export function writtenRepository({ name: { written } }: ImageTrace): string {
  return written.replace(/@.*$/, "").replace(/:[^/:]*$/, "");
}

/** Hosts before the registry that didn't help. */
export function classifyMirrors(image: ImageTrace, hostNotes: readonly string[]): readonly Finding[] {
  const { registry = "" } = image.name;
  const folders = [registry, registry.replace(/:(\d+)$/, "_$1_"), "_default"];
  const notes = hostNotes
    .filter((note) => folders.some((folder) => note.includes(`/${folder}/`) || note.includes(`"${folder}"`)))
    .map((note) => finding("MIRROR_MISCONFIGURED", "risk", note));
  const mirrors = image.hosts.filter(({ role }) => role === "mirror");
  const failed = mirrors.flatMap(({ url }) => {
    const last = image.attempts
      .flatMap(({ exchanges }) => exchanges)
      .findLast((one) => one.url.startsWith(`${url}/`));
    // A mirror needn't have everything.
    if (last === undefined || isFine(last) || last.status === 404) return [];
    const why = last.problem ?? `it answered ${last.status ?? "nothing"}`;
    return [finding("MIRROR_FAILED", "note", `Mirror ${url} of ${registry} didn't help: ${why}`)];
  });
  return [...notes, ...failed];
}

/** Where a mirror wants a login and the registry itself can't be reached, both are to be mended. */
export function classifyUpstream(
  { exchanges }: AttemptTrace,
  { hosts, name }: ImageTrace,
): readonly Finding[] {
  const upstream = hosts.filter(({ role }) => role === "registry");
  if (upstream.length === hosts.length) return [];
  const last = exchanges.findLast((one) => upstream.some(({ url }) => one.url.startsWith(`${url}/`)));
  const code = last?.problem === undefined ? undefined : causeOfText(last.problem);
  if (code === undefined) return [];
  return [finding(code, "failure", `${name.registry ?? ""} itself: ${last?.problem ?? ""}`)];
}

function isFine({ status = 0 }: ExchangeTrace): boolean {
  return status >= 200 && status < 400;
}
