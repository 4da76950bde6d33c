/** Causes from what the cluster says alone: where nobody was asked, or where asking tells something else. */
import type { AttemptTrace, Finding, ImageTrace } from "../trace.ts";
import { changeImage } from "./advice.ts";
import { localAdvice } from "./classify-attempts.ts";
import { classifyDenial, type DenialContext } from "./classify-denial.ts";
import { classifySources } from "./classify-sources.ts";
import { causeOfText, type Denial, denialOfText } from "./classify-text.ts";
import type { CauseCode } from "./codes.ts";
import { finding } from "./finding.ts";

/** What the cluster last said of a failure, the original reason where a back-off hides it; empty for none. */
export function wordsOf({ observed }: ImageTrace): string {
  if (observed === undefined || observed.state !== "waiting") return "";
  const { message = "", reason = "", events } = observed;
  const [, told] = /^Back-off pulling image "[^"]*": (.*)$/s.exec(message) ?? [];
  if (told !== undefined) return told;
  const failed = events.findLast(
    (event) => event.reason === "Failed" && event.message.startsWith("Failed to pull"),
  );
  if (reason === "ImagePullBackOff" || message === "") return failed?.message ?? message;
  return message;
}

export function classifyWords(
  image: ImageTrace,
  known: Omit<DenialContext, "severity">,
  words: string,
): readonly Finding[] {
  if (words === "") return [];
  const failing = image.outcome.state === "failed" || image.observed?.state === "waiting";
  const context: DenialContext = { ...known, severity: failing ? "failure" : "risk" };
  const { severity } = context;
  const denial = denialOfText(words);
  if (denial !== undefined) return ofDenial(image, context, { denial, words });
  const code = causeOfText(words);
  if (code === undefined) return [];
  if (code === "SECRET_BROKEN") {
    const broken = classifySources(image, context).filter((one) => one.code === code);
    if (broken.length > 0) return broken;
  }
  return [nodeSays(code, severity, { image, pod: known.pod, words })];
}

/** The node's own words as a finding. */
export function nodeSays(
  code: CauseCode,
  severity: Finding["severity"],
  of: { readonly image: ImageTrace; readonly pod: DenialContext["pod"]; readonly words: string },
): Finding {
  const { name } = of.image;
  const advice =
    code === "NAME_AMBIGUOUS"
      ? [changeImage(of.pod, of.image, name.normalised ?? name.written)]
      : code === "CONNECTION_REFUSED"
        ? localAdvice(of.image, of.pod)
        : [];
  return finding(code, severity, `The node says: ${of.words}`, advice);
}

interface Told {
  readonly denial: Denial;
  readonly words: string;
}

/** As if it had been told to us: with who the node is to the registry, as far as that could be seen. */
function ofDenial(image: ImageTrace, context: DenialContext, told: Told): readonly Finding[] {
  const { denial, words } = told;
  const { order, sources } = image.credentials;
  const said = `The node says: ${words}`;
  if (sources.some(({ state }) => state === "unseen")) {
    return [finding(BLIND[denial], context.severity, said), ...classifySources(image, context)];
  }
  // A runtime takes an entry without user and password for none.
  const blank = order.length > 0 && order.every((one) => one.blank === true);
  if (denial === "nobody" && order.length > 0 && !blank) {
    const now = `${said}; ${order[0]?.label ?? ""} has an entry for it now`;
    return [finding("NO_CREDENTIALS", context.severity, now)];
  }
  if (denial === "login" && order.length === 0) {
    // Credentials that are the node's own, and not known here.
    return [finding("CREDENTIAL_REFUSED", context.severity, said), ...classifySources(image, context)];
  }
  const labels = order.length === 0 ? ["anonymous"] : order.map(({ label }) => label);
  const attempts = labels.map((as) => attemptOf(as, told));
  return classifyDenial({ ...image, attempts }, context);
}

/** Which of a Pod's Secrets it was can't be told where they weren't seen. */
const BLIND: Readonly<Record<Denial, CauseCode>> = {
  nobody: "NO_CREDENTIALS",
  login: "CREDENTIAL_REFUSED",
  scope: "ACCESS_DENIED",
  forbidden: "ACCESS_DENIED",
  unclear: "ACCESS_DENIED",
};

function attemptOf(as: string, { denial, words }: Told): AttemptTrace {
  const known = as !== "anonymous";
  const status = denial === "forbidden" || (denial === "scope" && known) ? 403 : 401;
  const code = status === 403 ? "DENIED" : "UNAUTHORIZED";
  const message = `the node was told: ${words}`;
  return {
    as,
    result: "failed",
    repeated: false,
    exchanges: [],
    error: { code, message, status, said: [{ code, message }] },
  };
}
