import {
  type Challenge,
  cleanActions,
  cleanScopes,
  containerdChallenges,
  distributionChallenges,
  ggcrChallenge,
  locatorScope,
  orasChallenge,
  parseChallenges,
  parseWarning,
  realmAllowed,
  repositoryScope,
  tokenOptions,
  tokenScopes,
} from "../../../src/client/index.ts";
import { criAuth } from "../../../src/credentials/index.ts";
import { byOperation, pick, succeeds, text, type Topic, type Vector } from "../topic.ts";

export const topic: Topic = byOperation({
  challenges(vector) {
    const headers = texts(vector, "headers");
    const actual = {
      containerd: containerdChallenges(headers),
      distribution: distributionChallenges(headers),
      rfc9110: parseChallenges(headers),
      ggcrPick: ggcrChallenge(headers)?.scheme,
    };
    const members = Object.keys(actual).filter((name) => Object.hasOwn(vector, name));
    return { actual: pick(actual, members), expected: pick(vector, members) };
  },
  orasChallenge(vector) {
    const { scheme, parameters = null } = orasChallenge(text(vector, "header"));
    return { actual: { scheme, parameters }, expected: pick(vector, ["scheme", "parameters"]) };
  },
  warning: (vector) => ({
    actual: parseWarning(text(vector, "header")) ?? null,
    expected: vector["text"],
  }),
  scopeRepository: (vector) => ({
    actual: repositoryScope(text(vector, "repository"), texts(vector, "actions")),
    expected: vector["scope"],
  }),
  cleanScopes: (vector) => ({
    actual: cleanScopes(texts(vector, "scopes")),
    expected: vector["result"] ?? [],
  }),
  cleanActions: (vector) => ({
    actual: cleanActions(texts(vector, "actions")),
    expected: vector["result"] ?? [],
  }),
  repositoryScope: (vector) => ({
    actual: locatorScope(text(vector, "locator"), { push: vector["push"] === true }),
    expected: vector["scope"],
  }),
  tokenScopes: (vector) => ({
    actual: tokenScopes(texts(vector, "contextScopes"), texts(vector, "challengeScopes")),
    expected: vector["result"] ?? [],
  }),
  tokenOptions(vector) {
    const challenge = vector["challenge"] as Challenge["parameters"];
    if (vector["error"] === true) return { actual: succeeds(() => tokenOptions(challenge)), expected: false };
    const { realm, service = "", scopes = [] } = vector;
    return { actual: tokenOptions(challenge), expected: { realm, service, scopes } };
  },
  realmAllowed: (vector) => ({
    actual: realmAllowed(text(vector, "realm"), {
      registry: text(vector, "registry"),
      plainHttp: vector["plainHttpRegistry"] === true,
    }),
    expected: vector["allowed"],
  }),
  criAuth(vector) {
    const auth = vector["auth"] as Readonly<Record<string, string>> | null;
    const read = (): ReturnType<typeof criAuth> =>
      criAuth(
        auth === null
          ? undefined
          : {
              username: auth["username"],
              password: auth["password"],
              auth: auth["auth"],
              serverAddress: auth["server_address"],
              identityToken: auth["identity_token"],
              registryToken: auth["registry_token"],
            },
        text(vector, "host"),
      );
    if (vector["error"] === true) return { actual: succeeds(read), expected: false };
    const { username, secret } = read();
    return {
      actual: { username, secret: secret.reveal() },
      expected: pick(vector, ["username", "secret"]),
    };
  },
});

function texts(vector: Vector, name: string): readonly string[] {
  return (vector[name] ?? []) as readonly string[];
}
