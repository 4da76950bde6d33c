/** Why a registry said no: who we were to it, and who we could have been. */
import type { AttemptTrace, Finding, ImageTrace } from "../trace.ts";
import { lookAt, makeSecret, nameSecret, rewriteSecret, shell } from "./advice.ts";
import { hubWords, missingRepository } from "./classify-attempts.ts";
import { finding } from "./finding.ts";
import {
  classifyMismatches,
  classifyProviders,
  classifySources,
  classifyUnused,
  isOfficial,
  registriesOf,
  type SourceContext,
} from "./classify-sources.ts";

export interface DenialContext extends SourceContext {
  /** Milliseconds since the epoch. */
  readonly now: number;
}

export function isDenial({ error }: AttemptTrace): boolean {
  return error !== undefined && (error.code === "UNAUTHORIZED" || error.code === "DENIED");
}

export function classifyDenial(image: ImageTrace, context: DenialContext): readonly Finding[] {
  const denied = image.attempts.filter(isDenial);
  if (denied.length > 0 && isOfficial(image) && denied.every((attempt) => mayBeMissing(image, attempt))) {
    const { pod, severity } = context;
    return [missingRepository(image, pod, severity)];
  }
  const [strange] = denied;
  if (strange !== undefined && denied.every(isUnanswerable)) return [ofStrangeLogin(image, strange, context)];
  const shown = denied.filter(({ as }) => as !== "anonymous");
  const refusals = shown.map((attempt) => ofRefusal(attempt, image, context));
  const unused = classifyUnused(image, context);
  const sources = classifySources(image, context);
  if (refusals.length > 0) return [...refusals, ...unused, ...sources];
  const found = [
    ...sources,
    ...classifyMismatches(image, context),
    ...unused,
    ...classifyProviders(image, context),
  ];
  return found.length > 0 ? found : [ofStranger(image, denied[0], context)];
}

/** A login that is refused is refused whatever it asks for; so is an address. */
function mayBeMissing(image: ImageTrace, attempt: AttemptTrace): boolean {
  if (attempt.error?.status === 403 && attempt.as === "anonymous") return false;
  if (mirrorThatAsks(image, attempt) !== undefined) return false;
  return attempt.as === "anonymous" || isScopeShort(attempt);
}

/** Registries that let nobody in without a login, where the Pod has none; any may be one where nobody was asked. */
export function wantingOf(images: readonly ImageTrace[]): readonly string[] {
  const wanting = images.filter(
    ({ outcome, attempts, credentials }) =>
      credentials.order.length === 0 &&
      (outcome.state === "unasked" || attempts.some((one) => isDenial(one) && !isUnanswerable(one))),
  );
  const registries = wanting.filter((image) => !isOfficial(image)).map(({ name }) => name.registry ?? "");
  // What can't be a host's name is no registry.
  return [...new Set(registries)].filter((registry) => registry !== "");
}

/** What can be said of credentials without asking: it matters as soon as the registry wants some. */
export function foresee(image: ImageTrace, context: DenialContext): readonly Finding[] {
  const { order } = image.credentials;
  if (order.length === 0) return [...classifyMismatches(image, context), ...classifyUnused(image, context)];
  return order
    .map(({ label }): AttemptTrace => ({ as: label, result: "failed", repeated: false, exchanges: [] }))
    .map((attempt) => ofRefusal(attempt, image, context))
    .filter(({ code }) => code === "CREDENTIAL_BLANK" || code === "CREDENTIAL_EXPIRED");
}

function ofRefusal(attempt: AttemptTrace, image: ImageTrace, { pod, severity, now }: DenialContext): Finding {
  const { registry = "", repository = "" } = image.name;
  const tried = image.credentials.order.find(({ label }) => label === attempt.as);
  const who = `${attempt.as} (user ${JSON.stringify(tried?.username ?? "")})`;
  const secret = image.credentials.sources.find(
    ({ kind, name = "" }) =>
      kind === "secret" && attempt.as.startsWith(`Secret ${pod.subject.namespace}/${name},`),
  );
  const renew = secret === undefined ? [] : [rewriteSecret(pod, [registry], secret)];
  const said = saidIn(attempt);
  if (tried?.blank === true) {
    const why = secret?.detail === undefined ? "" : `; ${secret.detail}`;
    const summary = `${attempt.as} has an entry for ${registry} with neither user nor password${why}`;
    return finding("CREDENTIAL_BLANK", severity, summary, renew);
  }
  const over = tried?.expires !== undefined && Date.parse(tried.expires) <= now;
  if (over || /\bexpired?\b/i.test(said)) {
    const summary = over
      ? `The time of ${who} was over at ${tried?.expires ?? ""}`
      : `${registry} refuses ${who}: ${said}`;
    return finding("CREDENTIAL_EXPIRED", severity, summary, renew);
  }
  const brief = tried?.expires === undefined ? (SHORT_LIVED[tried?.username ?? ""] ?? "") : "";
  if (isScopeShort(attempt)) {
    const { asked, granted } = scopesOf(attempt);
    const scopes = asked === "" ? "" : `: asked for ${asked}, granted ${granted || "nothing"}`;
    return finding(
      "SCOPE_SHORT",
      severity,
      `${who} is known to ${registry}, and may not pull ${repository}${scopes}${said === "" ? "" : ` (${said})`}${brief}`,
      [
        { text: `Grant user ${JSON.stringify(tried?.username ?? "")} pull on ${repository} at ${registry}` },
        ...renew,
      ],
    );
  }
  return finding(
    "CREDENTIAL_REFUSED",
    severity,
    `${registry} refuses ${who}${said === "" ? "" : `: ${said}`}${tried?.fault === undefined ? "" : `; ${tried.fault}`}${brief}`,
    [
      ...renew,
      lookAt(
        "Try the password by hand",
        `dray login -u ${shell(tried?.username ?? "USER")} ${shell(registry)}`,
      ),
    ],
  );
}

/** Some clouds give everybody the same user, and passwords that are soon over, which they answer as they do a lack of rights. */
const SHORT_LIVED: Readonly<Record<string, string>> = {
  AWS: "; or its time is over: Amazon's passwords are good for 12 hours",
  oauth2accesstoken: "; or its time is over: Google's access tokens are good for an hour",
};

/** The login was good: a token was given for it, or the registry answers 403 and not 401. */
function isScopeShort({ error, exchanges }: AttemptTrace): boolean {
  const tokens = exchanges.filter(({ purpose }) => purpose === "token");
  const given = tokens.some(({ status = 0 }) => status >= 200 && status < 300);
  const refused = tokens.some(({ status = 0 }) => status === 401);
  if (refused) return false;
  return given || error?.status === 403;
}

function scopesOf({ exchanges }: AttemptTrace): { readonly asked: string; readonly granted: string } {
  const token = exchanges.findLast(({ purpose }) => purpose === "token");
  return {
    asked: token?.scopesAsked?.join(" ") ?? "",
    granted: token?.scopesGranted?.join(" ") ?? "nobody says what",
  };
}

/** It wants a login, and not one that nodes have: they answer Basic and Bearer, and show nothing unasked. */
function isUnanswerable({ error, exchanges }: AttemptTrace): boolean {
  const last = exchanges.at(-1);
  if (error?.code !== "UNAUTHORIZED" || last?.status !== 401 || last.purpose === "token") return false;
  return last.authorization === "none" && !ANSWERABLE.has(last.challenge?.scheme ?? "");
}

const ANSWERABLE: ReadonlySet<string> = new Set(["basic", "bearer"]);

function ofStrangeLogin(image: ImageTrace, attempt: AttemptTrace, { severity }: DenialContext): Finding {
  const { registry = "" } = image.name;
  const asker = mirrorThatAsks(image, attempt) ?? registry;
  const scheme = attempt.exchanges.at(-1)?.challenge?.scheme;
  const how = scheme === undefined ? "doesn't say how" : `knows none but ${JSON.stringify(scheme)}`;
  const summary = `${asker} wants a login and ${how}: nodes log in with Basic and Bearer alone, so no pull secret helps`;
  const text = `Have whoever runs ${asker} offer one of them to nodes, or name another registry that has the image`;
  return finding("ACCESS_DENIED", severity, summary, [{ text }]);
}

/** The registry's own words. */
function saidIn(attempt: AttemptTrace | undefined): string {
  return attempt?.error?.said.map(({ message }) => message).join("; ") ?? "";
}

/** A mirror's wish for a login isn't the registry's. */
function mirrorThatAsks({ hosts }: ImageTrace, attempt: AttemptTrace | undefined): string | undefined {
  const asking = (attempt?.exchanges ?? []).filter(({ status }) => status === 401);
  const at = hosts.filter(({ url }) => asking.some((exchange) => exchange.url.startsWith(`${url}/`)));
  const [mirror] = at.filter(({ role }) => role === "mirror");
  return at.some(({ role }) => role === "registry") || mirror === undefined
    ? undefined
    : `Mirror ${mirror.url}`;
}

function ofStranger(image: ImageTrace, attempt: AttemptTrace | undefined, context: DenialContext): Finding {
  const { pod, severity } = context;
  const { registry = "", repository = "" } = image.name;
  const name = "regcred";
  const advice = [makeSecret(pod, registriesOf(image, context), name), ...nameSecret(pod, name)];
  const said = saidIn(attempt);
  const token = attempt?.exchanges.some(({ purpose }) => purpose === "token") === true;
  const asker = mirrorThatAsks(image, attempt);
  if (attempt?.error?.status === 403 && !token) {
    const page = attempt.error.message.includes("HTML page");
    const how = page ? "with a web page, as gateways do" : "without asking who we are";
    const words = said === "" ? "" : `: ${said}`;
    // A gateway doesn't know of the registry's logins.
    const ask = { text: `Ask whoever runs what stands in front of ${registry} to let nodes through` };
    const summary = `${registry} answers 403 ${how}${words}`;
    return finding("ACCESS_DENIED", severity, summary, page ? [ask] : advice);
  }
  const summary = `${asker ?? registry} wants a login for ${repository}, and there is none: no pull secret in the Pod or ServiceAccount ${pod.account.name}, none on the node; it may also have no such repository, which such registries tell only to whom they know${hubWords(image)}`;
  return finding("NO_CREDENTIALS", severity, summary, advice);
}
