/** Whether registries and their mirrors answer, and what time they think it is. */
import {
  ClientError,
  ConfiguredHosts,
  type HttpSend,
  loadTlsSettings,
  type RegistryHost,
  selectProxy,
  SocketTransport,
} from "../../client/index.ts";
import { forEachLimited } from "../../oci/index.ts";
import type { CommandContext } from "../context.ts";
import { formatDuration } from "../terminal/units.ts";
import type { FindingCode, Findings } from "./finding.ts";

const AREA = "registries";
/** Milliseconds that an answer may take. */
const PATIENCE = 10_000;
/** Milliseconds: what nobody need know of, and what breaks tokens and certificates. */
const DRIFT = 30_000;
const OFF = 300_000;

export interface RegistryQuestions {
  readonly registries: readonly string[];
  readonly roots: readonly string[];
  readonly ca: string | undefined;
  /** Sends requests instead of sockets, for tests. */
  readonly send?: HttpSend | undefined;
}

interface Answer {
  readonly date: number;
  /** When it came, by this machine. */
  readonly at: number;
  readonly from: string;
}

/** The hosts behind registries, whether or not they are asked. */
export async function findHosts(
  findings: Findings,
  { registries, roots, ca }: RegistryQuestions,
): Promise<ReadonlyMap<string, readonly RegistryHost[]>> {
  const found = new Map<string, readonly RegistryHost[]>();
  for (const registry of registries) {
    try {
      const tls = await loadTlsSettings(ca === undefined ? {} : { ca: [ca] });
      const hosts = new ConfiguredHosts({ roots, ...(Object.keys(tls).length > 0 && { tls }) });
      found.set(registry, await hosts.hosts(registry));
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      // The file itself has been told of.
      findings.missed(AREA, `${registry}: ${error.message}`);
    }
  }
  return found;
}

export async function checkRegistries(
  findings: Findings,
  hosts: ReadonlyMap<string, readonly RegistryHost[]>,
  { send: given }: Pick<RegistryQuestions, "send">,
  context: CommandContext,
): Promise<void> {
  const { env, signal } = context;
  await using transport =
    given === undefined ? new SocketTransport({ proxy: (url) => selectProxy(url, env) }) : undefined;
  const send = given ?? transport?.send;
  if (send === undefined) return;
  const answers: Answer[] = [];
  const all = [...hosts].flatMap(([registry, of]) => of.map((host) => ({ registry, host })));
  await forEachLimited(all, { concurrency: 4, signal }, async ({ registry, host }, limited) => {
    const answer = await ask(findings, { registry, host, send, signal: limited }, context);
    if (answer !== undefined) answers.push(answer);
  });
  checkClock(findings, answers);
}

interface Question {
  readonly registry: string;
  readonly host: RegistryHost;
  readonly send: HttpSend;
  readonly signal: AbortSignal;
}

async function ask(
  findings: Findings,
  { registry, host, send, signal }: Question,
  { clock }: CommandContext,
): Promise<Answer | undefined> {
  const kind = host.upstream ? "REGISTRY" : "MIRROR";
  const url = new URL(`${host.scheme}://${host.host}${host.path}/`);
  const where = host.upstream && host.host === registry ? registry : `${host.host} (for ${registry})`;
  const limited = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE)]);
  const request = {
    method: "GET",
    headers: Object.fromEntries(
      Object.entries(host.headers).map(([name, values]) => [name, values.join(", ")]),
    ),
    tls: host.tls,
    dialTimeout: host.dialTimeout,
    signal: limited,
  };
  let answer: { readonly status: number; readonly date: string | undefined };
  const began = clock.now();
  try {
    answer = await once(url);
  } catch (error) {
    signal.throwIfAborted();
    if (!(error instanceof ClientError) && !limited.aborted) throw error;
    const why = error instanceof ClientError ? error : undefined;
    const isTls = why?.code.startsWith("TLS_") === true && why.code !== "TLS_NOT_SPOKEN";
    const what = why?.message ?? `No answer within ${PATIENCE / 1000}s`;
    findings.add(`${kind}_${isTls ? "UNTRUSTED" : "UNREACHABLE"}`, {
      where,
      what,
      mend: adviceFor(why?.code),
    });
    return undefined;
  }
  const ended = clock.now();
  const { status, date } = answer;
  findings.saw(AREA, `${where}: answered ${status} in ${formatDuration(ended - began)}`);
  const code = judge(status, host, kind);
  if (code !== undefined) {
    const mend = code.endsWith("FAILING")
      ? "Ask its operator, or wait"
      : "Correct its address: /v2/ should answer 200 or 401";
    findings.add(code, { where, what: `GET ${url.href} answered ${status}`, mend });
  }
  const time = Date.parse(date ?? "");
  return Number.isNaN(time) ? undefined : { date: time, at: (began + ended) / 2, from: host.host };

  async function once(to: URL): Promise<typeof answer> {
    try {
      const response = await send({ ...request, url: to });
      await response.discard();
      return { status: response.status, date: response.header("date") };
    } catch (error) {
      // On this machine registries often speak http alone, as clients know.
      if (!(error instanceof ClientError) || !host.httpFallback || to.protocol === "http:") throw error;
      return await once(new URL(to.href.replace(/^https:/, "http:")));
    }
  }
}

function judge(status: number, { path }: RegistryHost, kind: "REGISTRY" | "MIRROR"): FindingCode | undefined {
  if (status >= 500) return `${kind}_FAILING`;
  // Behind a path of somebody's own choice there may be nothing at its top.
  return status === 404 && path.endsWith("/v2") ? `${kind}_NOT_ONE` : undefined;
}

const ADVICE: Readonly<Record<string, string>> = {
  NETWORK_DNS: "Correct the name, or the machine's resolver",
  NETWORK_REFUSED: "Start the registry, or correct its port",
  NETWORK_TIMEOUT: "Open the way in firewalls, or set a proxy",
  NETWORK_UNREACHABLE: "Give the machine a route there, or a proxy",
  TLS_UNKNOWN_AUTHORITY: "Name its authority with ca = […] in hosts.toml",
  TLS_NAME_MISMATCH: "Use a name that its certificate has",
  TLS_EXPIRED: "Renew its certificate; check this machine's clock",
  TLS_NOT_SPOKEN: 'It speaks http: write server = "http://…" in hosts.toml',
  PROXY_FAILED: "Check the proxy, or leave the registry out with NO_PROXY",
};

function adviceFor(code: string | undefined): string {
  return (code === undefined ? undefined : ADVICE[code]) ?? "Try it with curl from this machine";
}

/** By the middle of all answers, since a registry's own clock may be wrong, too. */
function checkClock(findings: Findings, answers: readonly Answer[]): void {
  const sorted = answers
    .map(({ date, at, from }) => ({ from, ahead: at - (date + 500) }))
    .toSorted((a, b) => a.ahead - b.ahead);
  const middle = sorted[Math.floor(sorted.length / 2)];
  if (middle === undefined) {
    findings.missed("clock", "no registry told the time");
    return;
  }
  const { ahead, from } = middle;
  const off = Math.abs(ahead);
  const what = `It is ${formatDuration(off)} ${ahead > 0 ? "ahead of" : "behind"} ${from}`;
  if (off < DRIFT) findings.saw("clock", `it agrees with ${from}`);
  else {
    const mend = "Run a time service: timedatectl set-ntp true";
    findings.add(off >= OFF ? "CLOCK_OFF" : "CLOCK_DRIFT", { where: "the clock", what, mend });
  }
}
