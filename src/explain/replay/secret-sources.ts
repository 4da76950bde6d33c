/** The pull secrets of a Pod: which are there, and what each has for an image. */
import { type ExplainedSecret, explainPullSecrets } from "../../credentials/index.ts";
import type { CredentialSourceTrace } from "../trace.ts";
import type { LookOptions, ObjectName, SeenSecret, Surroundings } from "../world/situation.ts";
import { stateOf, traceEntry } from "./entry-words.ts";
import { layoutOf, unreadMembers } from "./login-faults.ts";

/** The Secrets a Pod names, each with what is known of it. */
export interface NamedSecret {
  readonly name: string;
  readonly seen: SeenSecret;
}

export async function findSecrets(
  names: readonly string[],
  work: { readonly namespace: string; readonly surroundings: Surroundings } & LookOptions,
): Promise<readonly NamedSecret[]> {
  const { namespace, surroundings, signal } = work;
  return await Promise.all(
    names.map(async (name) => {
      const of: ObjectName = { namespace, name };
      return { name, seen: await surroundings.secret(of, { signal }) };
    }),
  );
}

/** @param image the normalised repository; undefined for a name that nothing can be looked up for */
export function traceSecrets(
  secrets: readonly NamedSecret[],
  image: string | undefined,
): readonly CredentialSourceTrace[] {
  return secrets.map(({ name, seen }) => {
    const base = { kind: "secret", label: `Secret ${name}`, name, entries: [] } as const;
    if (seen.state === "missing") return { ...base, state: "missing" };
    if (seen.state === "unseen") return { ...base, state: "unseen", detail: seen.why };
    const [explained] = explainPullSecrets([seen.value], image ?? "");
    if (explained === undefined) return { ...base, state: "empty" };
    const trace = { ...base, type: seen.value.type, ...traceSecret(explained, image ?? "") };
    if (seen.state === "refused") return refusedTrace(trace, seen.why);
    // What can be said without a name is said; what it has for one isn't asked.
    return image === undefined && trace.state === "not-matched"
      ? { ...trace, state: "not-asked", entries: [] }
      : trace;
  });
}

/** A Secret that never comes to be gives nothing, whatever it holds. */
function refusedTrace(trace: CredentialSourceTrace, why: string): CredentialSourceTrace {
  const state = trace.state === "key-missing" ? trace.state : "broken";
  return { ...trace, state, detail: `the API server refuses it: ${why}`, entries: [] };
}

type Described = Pick<CredentialSourceTrace, "state" | "detail" | "entries">;

function traceSecret(
  { secret, verdict, lookup, problem, rejected }: ExplainedSecret,
  image: string,
): Described {
  if (!verdict.usable) {
    const { type } = secret;
    const key = type === "kubernetes.io/dockercfg" ? ".dockercfg" : ".dockerconfigjson";
    return verdict.why === "type"
      ? { state: "wrong-type", detail: `its type is ${JSON.stringify(type)}`, entries: [] }
      : {
          state: "key-missing",
          detail: `its key ${JSON.stringify(key)} ${verdict.why === "key-empty" ? "is empty" : "is not there"}`,
          entries: [],
        };
  }
  if (problem !== undefined) return { state: "broken", detail: problem, entries: [] };
  const entries = (lookup?.verdicts ?? []).map((entry) => traceEntry(entry, image));
  const state = stateOf(entries, lookup?.credentials ?? []);
  const layout = state === "matched" ? undefined : layoutOf(secret);
  if (layout !== undefined) {
    const detail = `its type is ${JSON.stringify(secret.type)}, and what it holds has the layout of ${JSON.stringify(layout)}`;
    return { state: state === "empty" ? "empty" : "wrong-type", detail, entries };
  }
  const unread = unreadMembers(secret);
  const passedOver = unread.length === 0 ? undefined : `nodes don't read its ${unread.join(" and ")}`;
  const [detail = passedOver] = rejected;
  return { state, entries, ...(detail !== undefined && { detail }) };
}
