/** What is the matter with the places where credentials come from, whether or not it kept an image from coming. */
import { explainPullSecrets, findMismatch, parseTarget, type PullSecret } from "../../credentials/index.ts";
import type { Advice, CredentialSourceTrace, Finding, ImageTrace, PodTrace } from "../trace.ts";
import { copySecret, makeSecret, nameSecret, remakeSecret, rewriteSecret } from "./advice.ts";
import { finding } from "./finding.ts";

export interface SourceContext {
  readonly pod: Omit<PodTrace, "images" | "causes">;
  /** Secrets that might have been meant. */
  readonly others: readonly PullSecret[];
  /** Repositories of the Pod's images, this one's among them. */
  readonly repositories: readonly string[];
  /** Registries of those that want a login and have none: one Secret is for all of them. */
  readonly wanting: readonly string[];
  readonly severity: Finding["severity"];
}

/** Those that a Secret is made for: an image that comes without it needs no entry. */
export function registriesOf(image: ImageTrace, { wanting, severity }: SourceContext): readonly string[] {
  const { registry = "" } = image.name;
  const comes = severity === "note" || registry === "" || isOfficial(image);
  if (wanting.includes(registry) || (comes && wanting.length > 0)) return wanting;
  return [...wanting, registry || "REGISTRY"];
}

/** Docker Hub's own images are everybody's: what it refuses of them isn't there. */
export function isOfficial({ name: { registry, repository = "" } }: ImageTrace): boolean {
  return registry === "docker.io" && repository.startsWith("library/");
}

/** Everything about the sources themselves. */
export function classifySources(image: ImageTrace, context: SourceContext): readonly Finding[] {
  return image.credentials.sources.flatMap((source) => [
    ...(source.kind === "secret" ? ofSecret(source, image, context) : []),
    ...(source.kind === "provider" && source.state === "failed" ? [ofProvider(source, context)] : []),
    ...(source.kind === "file" && source.state === "broken" ? [ofFile(source, context)] : []),
  ]);
}

function ofSecret(
  source: CredentialSourceTrace,
  image: ImageTrace,
  context: SourceContext,
): readonly Finding[] {
  const { pod, others, severity } = context;
  const { name = "", state, detail = "" } = source;
  const { namespace } = pod.subject;
  const registries = registriesOf(image, context);
  const called = `Secret ${namespace}/${name}`;
  switch (state) {
    case "missing": {
      const elsewhere = others.find((other) => other.name === name && other.namespace !== namespace);
      if (elsewhere === undefined) {
        return [
          finding("SECRET_MISSING", severity, `${called} isn't there`, [makeSecret(pod, registries, name)]),
        ];
      }
      const summary = `${called} isn't there; one of this name is in namespace ${elsewhere.namespace}`;
      return [finding("SECRET_OTHER_NAMESPACE", severity, summary, [copySecret(elsewhere, namespace)])];
    }
    case "unseen":
      return [
        finding(
          "SECRET_UNSEEN",
          severity === "note" ? "note" : "risk",
          `${called} couldn't be looked at: ${detail}`,
          [
            {
              text: "Give its file beside the others, or look as somebody who may read it",
              command: `kubectl auth can-i get secrets -n ${namespace}`,
            },
          ],
        ),
      ];
    case "wrong-type": {
      const layout = source.type?.startsWith("kubernetes.io/docker") === true;
      const summary = layout
        ? `${called} is of no use to nodes: ${detail}`
        : `${called} has type ${source.type ?? ""}, which nodes pass over`;
      return [finding("SECRET_WRONG_TYPE", severity, summary, [remakeSecret(pod, registries, name)])];
    }
    case "key-missing":
      return [
        finding("SECRET_KEY_MISSING", severity, `${called}: ${detail}`, [
          remakeSecret(pod, registries, name),
        ]),
      ];
    case "empty":
      return [
        finding(
          "SECRET_EMPTY",
          severity,
          `${called} has no entry at all${detail === "" ? "" : `; ${detail}`}`,
          [rewriteSecret(pod, registries, source)],
        ),
      ];
    case "broken":
      return [
        finding("SECRET_BROKEN", severity, `${called} can't be read: ${detail}`, [
          rewriteSecret(pod, registries, source),
        ]),
      ];
    case "matched":
    case "not-matched":
    case "not-asked":
    case "failed":
      return [];
  }
}

function ofProvider({ name = "", detail = "" }: CredentialSourceTrace, { severity }: SourceContext): Finding {
  return finding("PROVIDER_FAILED", severity, `Credential provider ${name} failed: ${detail}`);
}

function ofFile({ label }: CredentialSourceTrace, { severity }: SourceContext): Finding {
  return finding("NODE_FILE_BROKEN", severity, `The node's file ${label} can't be read, and is passed over`, [
    {
      text: "Look at it on the node; it should be JSON like this",
      yaml: '{"auths": {"REGISTRY": {"auth": "BASE64 OF USER:PASSWORD"}}}',
    },
  ]);
}

/** Entries that exist and are for something else. */
export function classifyMismatches(image: ImageTrace, context: SourceContext): readonly Finding[] {
  const { pod, severity } = context;
  const { registry = "", repository = "" } = image.name;
  const sources = image.credentials.sources.filter(
    ({ kind, state }) => state === "not-matched" && (kind === "secret" || kind === "file"),
  );
  return sources.map((source) => {
    const path = source.entries.find(({ mismatch }) => mismatch === "path");
    const nearest = path ?? nearestEntry(source, registry);
    const called =
      source.kind === "secret" ? `Secret ${pod.subject.namespace}/${source.name ?? ""}` : source.label;
    const why =
      nearest === undefined
        ? "none of its entries fits"
        : `its entry ${JSON.stringify(nearest.key)} doesn't fit: ${nearest.why}`;
    const code = path === undefined ? "CREDENTIAL_HOST_MISMATCH" : "CREDENTIAL_NOT_MATCHED";
    const summary = `${called} has nothing for ${registry}/${repository}: ${why}`;
    return finding(code, severity, summary, source.kind === "secret" ? addEntry(source, image, context) : []);
  });
}

/** A Secret that is written anew loses its entries; where others may need them, another Secret joins it. */
function addEntry(
  source: CredentialSourceTrace,
  image: ImageTrace,
  { pod, repositories }: SourceContext,
): readonly Advice[] {
  const { registry = "" } = image.name;
  const { name = "", entries } = source;
  const needed = entries.some(({ key }) =>
    repositories.some((other) => findMismatch(parseTarget(key), parseTarget(other)) === undefined),
  );
  if (entries.length <= 1 && !needed) return [rewriteSecret(pod, [registry], source)];
  const another = `${name}-2`;
  return [makeSecret(pod, [registry], another), ...nameSecret(pod, another)];
}

function nearestEntry(
  { entries }: CredentialSourceTrace,
  registry: string,
): CredentialSourceTrace["entries"][number] | undefined {
  const host = registry.replace(/:\d+$/, "");
  const domain = host.split(".").slice(-2).join(".");
  return (
    entries.find(({ key }) => key.includes(host)) ??
    entries.find(({ key }) => key.includes(domain)) ??
    entries[0]
  );
}

/** Secrets that would fit and aren't used. */
export function classifyUnused(
  image: ImageTrace,
  { pod, others, severity }: SourceContext,
): readonly Finding[] {
  const { registry, repository } = image.name;
  if (registry === undefined || repository === undefined) return [];
  const { namespace } = pod.subject;
  const named = new Set(pod.pullSecrets.names);
  const fitting = others.filter((secret) => {
    if (secret.namespace !== namespace || named.has(secret.name)) return false;
    return explainPullSecrets([secret], `${registry}/${repository}`)[0]?.lookup?.found === true;
  });
  const [ofAccount] = fitting.filter(({ name }) => pod.account.pullSecrets.includes(name));
  if (ofAccount !== undefined) {
    const { name } = ofAccount;
    const summary = `ServiceAccount ${namespace}/${pod.account.name} has Secret ${name}, which fits, but the Pod names pull secrets of its own`;
    return [finding("ACCOUNT_SECRETS_IGNORED", severity, summary, nameSecret(pod, name))];
  }
  const [other] = fitting;
  if (other === undefined) return [];
  const summary = `Secret ${namespace}/${other.name} fits ${registry}/${repository}, and neither the Pod nor ServiceAccount ${pod.account.name} names it`;
  return [finding("SECRET_NOT_REFERENCED", severity, summary, nameSecret(pod, other.name))];
}

/** A node with providers, none of which gave anything for this image. */
export function classifyProviders(image: ImageTrace, { severity }: SourceContext): readonly Finding[] {
  const providers = image.credentials.sources.filter(({ kind }) => kind === "provider");
  if (providers.some(({ state }) => state === "matched" || state === "failed")) return [];
  const { registry = "", repository = "" } = image.name;
  const fitting = providers.filter(
    ({ run, state, entries }) =>
      run !== undefined || state === "empty" || entries.some(({ matched }) => matched),
  );
  const notRun =
    image.observed === undefined
      ? `; it wasn't run here, so nobody knows whether it opens ${repository}`
      : `, and gave the node nothing that opens ${repository}`;
  const found = fitting.map(({ name = "", state }) =>
    state === "not-asked"
      ? finding("PROVIDER_FAILED", severity, `Credential provider ${name} is set up for ${registry}${notRun}`)
      : finding(
          "PROVIDER_EMPTY",
          severity,
          `Credential provider ${name} ran, and had nothing for ${registry}/${repository}`,
        ),
  );
  if (found.length > 0 || providers.length === 0) return found;
  const names = providers.map(({ name = "" }) => name).join(", ");
  return [
    finding(
      "PROVIDER_NOT_MATCHED",
      severity,
      `None of the node's credential providers (${names}) is set up for ${registry}`,
      [
        {
          text: "Add the registry to the provider's matchImages",
          yaml: `matchImages:\n  - ${JSON.stringify(registry)}`,
        },
      ],
    ),
  ];
}
