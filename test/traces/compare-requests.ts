/** Whether registries were asked in the same order, as the same users, and at the same times. */
import { repositoriesOf } from "./relevant.ts";
import type { RecordedRequest, Recording } from "./recording.ts";

/** Seconds between requests of one pull, and by which its time may differ. */
const SLACK = 2;

/** Who asked for which repository, and how that went: each pull's attempts in their order. */
export function compareRequests(
  recording: Recording,
  requests: readonly RecordedRequest[],
): readonly string[] {
  const differences: string[] = [];
  for (const name of repositoriesOf(recording)) {
    const [recorded, asked] = [attempts(recording.registryRequests, name), attempts(requests, name)];
    for (let index = 0; index < Math.max(recorded.length, asked.length); index++) {
      const [one, other] = [recorded[index], asked[index]];
      if (one !== undefined && other?.who === one.who && Math.abs(one.t - other.t) < SLACK) continue;
      const show = (attempt: Attempt | undefined): string =>
        attempt === undefined ? "nothing" : `${attempt.who} at ${attempt.t} s`;
      differences.push(`request to ${name}: ${show(other)} and not ${show(one)}`);
      break;
    }
  }
  return differences;
}

interface Attempt {
  readonly t: number;
  /** A credential, or nobody, and the status of the answer. */
  readonly who: string;
}

/**
 * Attempts to get at the manifests of a repository. How a client learns how to authenticate differs from client to
 * client: one that remembers doesn't ask again. So a question without a credential doesn't count where one followed,
 * and a refusal by a token service counts as one by the registry.
 */
function attempts(requests: readonly RecordedRequest[], name: string): readonly Attempt[] {
  const list: Attempt[] = [];
  for (const { t, registry, path, authorization, status, body } of requests) {
    const scope = /[?&]scope=repository%3A(.+?)%3Apull/.exec(`${path}&${body ?? ""}`)?.[1];
    const isToken = path.startsWith("/token");
    if (isToken && (scope === undefined || (status ?? 0) < 400)) continue;
    const repository = isToken
      ? decodeURIComponent(scope ?? "")
      : (/^\/v2\/(.+)\/manifests\//.exec(path)?.[1] ?? "");
    if (isToken ? !name.endsWith(`/${repository}`) : `${registry}/${repository}` !== name) continue;
    const posted = new URLSearchParams(body ?? "");
    const shown = posted.has("username")
      ? `Basic ${posted.get("username")}:${posted.get("password")}`
      : authorization;
    const kind = shown?.startsWith("Bearer ") === true ? "Bearer" : (shown ?? "nobody");
    const who = `${kind} ${status}`;
    const isRecent = (attempt: Attempt | undefined): boolean =>
      attempt !== undefined && t - attempt.t < SLACK;
    if (isRecent(list.at(-1)) && list.at(-1)?.who === "nobody 401" && shown !== null) list.pop();
    const last = list.at(-1);
    if (last !== undefined && isRecent(last) && last.who === who) continue;
    list.push({ t, who });
  }
  return list;
}
