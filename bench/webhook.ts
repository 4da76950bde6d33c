/**
 * The webhook's warm reviews beside a bare HTTPS server of Node's that reads no JSON and answers every review with the
 * same text.
 */
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

import { createAuthority, issueCertificate } from "../src/internal/certificates.ts";
import { ROOT, run, start } from "../test/processes.ts";
import { type Bench, dray } from "./bench.ts";
import { median, peer } from "./measure.ts";

const CONNECTIONS = 16;
const SECONDS = 3;
const DIGEST = `sha256:${"d".repeat(64)}`;

interface Load {
  readonly rate: number;
  /** Milliseconds. */
  readonly p99: number;
}

interface Target {
  readonly url: string;
  readonly script: string;
}

export async function benchWebhook(bench: Bench): Promise<void> {
  bench.say("The webhook");
  const folder = join(bench.folder, "webhook");
  mkdirSync(folder);
  const { cert, key } = await writeCertificate(folder);
  const registry = createServer((_, response) => {
    response.writeHead(200, {
      "content-type": "application/vnd.oci.image.index.v1+json",
      "docker-content-digest": DIGEST,
      "content-length": 100,
    });
    response.end();
  });
  await new Promise<void>((resolve) => registry.listen(0, "127.0.0.1", resolve));
  const { port } = registry.address() as AddressInfo;
  const review = readReview(`127.0.0.1:${port}`);
  const tls = ["--tls-cert", cert, "--tls-key", key];
  await using webhook = start(
    ...split(
      dray(
        bench,
        "webhook",
        "--pin",
        "--forbid-latest",
        "--allow",
        "127.0.0.1:*",
        "--address",
        "127.0.0.1",
        "--port",
        "0",
        ...tls,
      ),
    ),
    { env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder } },
  );
  const [, mine = ""] = await webhook.waitFor(/answered at (\S+)/);
  const answer = await post(`${mine}/mutate?timeout=10s`, { review, cert });
  if (!answer.includes('"patchType":"JSONPatch"')) throw new Error(`The webhook pinned nothing: ${answer}`);
  await using bare = start(process.execPath, [
    "--input-type=module",
    "-e",
    bareServer({ cert, key, answer }),
  ]);
  const [, theirs = ""] = await bare.waitFor(/listening at (\S+)/);

  const urls = { dray: `${mine}/mutate?timeout=10s`, bare: `${theirs}/mutate?timeout=10s` };
  for (const kind of KINDS) {
    const script = writeScript(join(folder, `${kind}.lua`), { review, kind });
    const loads: Record<keyof typeof urls, Load[]> = { dray: [], bare: [] };
    // Warm: code that has been compiled, digests that are known.
    for (const url of Object.values(urls)) await load({ url, script });
    for (let round = 0; round < bench.rounds; round++) {
      for (const name of ["dray", "bare"] as const) loads[name].push(await load({ url: urls[name], script }));
    }
    report(bench, kind, loads);
  }
  registry.close();
}

const KINDS = ["replicas", "different", "odd"] as const;

const WORDS = {
  replicas: "warm reviews of replicas, alike but for their uid",
  different: "warm reviews of Pods that are all different, by their names",
  // Nothing of one helps with the next: each is read from its beginning.
  odd: "warm reviews of Pods that are all different, by a number",
} as const;

function report(
  bench: Bench,
  kind: keyof typeof WORDS,
  loads: Readonly<Record<"dray" | "bare", readonly Load[]>>,
): void {
  const rateOf = (name: "dray" | "bare"): number => median(loads[name].map(({ rate }) => rate));
  const p99Of = (name: "dray" | "bare"): number => median(loads[name].map(({ p99 }) => p99));
  const show = (rate: number): string => `${Math.round(rate).toLocaleString("en")}/s`;
  const [rate, bare] = [rateOf("dray"), rateOf("bare")];
  bench.say(
    `  ${WORDS[kind]}: dray ${show(rate)}, p99 ${p99Of("dray").toFixed(2)} ms; bare HTTPS server ${show(bare)}, p99 ${p99Of("bare").toFixed(2)} ms; ${(rate / bare).toFixed(2)} ×`,
  );
  bench.results.push({
    what: `${WORDS[kind]}, ${CONNECTIONS} connections (p99 ${p99Of("dray").toFixed(1)} ms)`,
    dray: show(rate),
    peer: `bare HTTPS server ${show(bare)} (p99 ${p99Of("bare").toFixed(1)} ms)`,
    ratio: rate / bare,
    unit: "×",
    goal: { atLeast: 0.6 },
  });
}

/** A review as an API server sent it, of a Pod whose images are in this registry. */
function readReview(registry: string): string {
  const file = join(ROOT, "test/traces/admission/recordings/pod-create.json");
  const [call] = JSON.parse(readFileSync(file, "utf8")).admissionCalls;
  return JSON.stringify(call.review)
    .replaceAll('"image":"app:v1"', `"image":"${registry}/app:v1"`)
    .replaceAll('"image":"init"', `"image":"${registry}/init:v1"`);
}

async function writeCertificate(folder: string): Promise<{ readonly cert: string; readonly key: string }> {
  const lifetime = { now: Date.now, lifetimeMs: 86_400_000 };
  const authority = await createAuthority({ commonName: "bench", ...lifetime });
  const issued = await issueCertificate(authority, {
    commonName: "bench",
    hosts: ["127.0.0.1"],
    usage: "server",
    ...lifetime,
  });
  const [cert, key] = [join(folder, "tls.crt"), join(folder, "tls.key")];
  writeFileSync(cert, issued.certificate);
  writeFileSync(key, issued.key, { mode: 0o600 });
  return { cert, key };
}

/** wrk posts what its script says: each review with a uid of its own, and a name or number where they differ. */
function writeScript(
  file: string,
  { review, kind }: { readonly review: string; readonly kind: keyof typeof WORDS },
): string {
  const { uid, name } = JSON.parse(review).request as { readonly uid: string; readonly name: string };
  const [head = "", , tail = ""] = review.replace(uid, "\0UID\0").split("\0");
  const changed = {
    replicas: "",
    different: `"name":"${name}"`,
    odd: '"terminationGracePeriodSeconds":0',
  }[kind];
  const at = tail.indexOf(changed);
  if (at === -1) throw new Error(`Cannot make reviews that differ: there is no ${changed}`);
  const [before, after] = [tail.slice(0, at), tail.slice(at + changed.length)];
  const change = {
    replicas: "",
    different: `.. '"name":"n' .. count .. '"'`,
    odd: `.. '"terminationGracePeriodSeconds":' .. count`,
  }[kind];
  writeFileSync(
    file,
    [
      "local count = 0",
      `local head, before, rest = [==[${head}]==], [==[${before}]==], [==[${after}]==]`,
      'local headers = { ["Content-Type"] = "application/json" }',
      "function request()",
      "  count = count + 1",
      `  local uid = string.format("%s", "${uid.slice(0, 28)}") .. string.format("%08x", count)`,
      `  return wrk.format("POST", nil, headers, head .. uid .. before ${change} .. rest)`,
      "end",
      "",
    ].join("\n"),
  );
  return file;
}

/** Reads each review to its end, and gives the answer that dray gave once. */
function bareServer({
  cert,
  key,
  answer,
}: {
  readonly cert: string;
  readonly key: string;
  readonly answer: string;
}): string {
  return `
    import { createServer } from "node:https";
    import { readFileSync } from "node:fs";
    const answer = Buffer.from(${JSON.stringify(answer)});
    const tls = { cert: readFileSync(${JSON.stringify(cert)}), key: readFileSync(${JSON.stringify(key)}) };
    const server = createServer(tls, (request, response) => {
      request.on("data", () => {});
      request.on("end", () => {
        response.writeHead(200, { "content-type": "application/json", "content-length": answer.length });
        response.end(answer);
      });
    });
    server.listen(0, "127.0.0.1", () => console.log("listening at https://127.0.0.1:" + server.address().port));
  `;
}

async function post(
  url: string,
  { review }: { readonly review: string; readonly cert: string },
): Promise<string> {
  const args = ["-sk", "-H", "Content-Type: application/json", "--data-binary", "@-", url];
  return await run(peer("curl"), args, { input: review });
}

async function load({ url, script }: Target): Promise<Load> {
  const args = ["-t1", `-c${CONNECTIONS}`, `-d${SECONDS}s`, "--latency", "-s", script, url];
  const said = await run(peer("wrk"), args);
  if (/Non-2xx|Socket errors/.test(said)) throw new Error(`Cannot measure ${url}:\n${said}`);
  const [, rate] = /Requests\/sec:\s+([\d.]+)/.exec(said) ?? [];
  const [, p99, unit] = /99%\s+([\d.]+)(us|ms|s)/.exec(said) ?? [];
  const factor = { us: 0.001, ms: 1, s: 1000 }[unit ?? ""];
  return { rate: Number(rate), p99: Number(p99) * (factor ?? Number.NaN) };
}

function split([program, ...args]: readonly [string, ...string[]]): [string, string[]] {
  return [program, args];
}
