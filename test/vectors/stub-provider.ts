/** What the vectors of exec providers put in the place of the plugin and of the API. */
import {
  type CredentialPlugin,
  type DockerDocument,
  type DockerEntry,
  type LogEntry,
  type PodIdentity,
  PluginProvider,
  type ProviderRequest,
  type ProviderResponse,
  Secret,
  type ServiceAccount,
  type ServiceAccounts,
  type TokenMode,
} from "../../src/credentials/index.ts";
import { parseDuration } from "../../src/internal/go/duration.ts";
import { GoError } from "../../src/internal/go/errors.ts";

type PlainAuth = Readonly<Record<string, { readonly username?: string; readonly password?: string }>>;

interface Failure {
  readonly error: string;
}

export interface StubScenario {
  readonly provider: {
    readonly name?: string;
    readonly matchImages: readonly string[];
    readonly defaultCacheDuration?: string | null;
    readonly tokenMode?: (Partial<TokenMode> & { readonly audience?: string }) | null;
  };
  readonly pluginResponse?: {
    readonly cacheKeyType: string;
    readonly cacheDuration?: string | null;
    readonly auth?: PlainAuth | null;
    readonly error?: string;
  } | null;
  readonly pluginError?: string;
  readonly pod?: Partial<PodIdentity>;
  readonly serviceAccount?: (Partial<ServiceAccount> & Partial<Failure>) | null;
  readonly token?: string | Failure | { readonly randomPerCall: number } | null;
}

export interface StubbedProvider {
  readonly provider: PluginProvider;
  readonly pod: PodIdentity;
  readonly requests: readonly ProviderRequest[];
  readonly logs: readonly LogEntry[];
}

/** `latency` is what a run of the plugin waits for. */
export function stubProvider(
  scenario: StubScenario,
  options: { readonly now?: () => number; readonly latency?: () => Promise<void> } = {},
): StubbedProvider {
  const requests: ProviderRequest[] = [];
  const logs: LogEntry[] = [];
  const plugin: CredentialPlugin = {
    async exec(request) {
      requests.push(request);
      await options.latency?.();
      return respond(scenario);
    },
  };
  const { name = "", matchImages, defaultCacheDuration, tokenMode } = scenario.provider;
  const provider = new PluginProvider({
    name,
    matchImages,
    defaultCacheDuration:
      typeof defaultCacheDuration === "string" ? parseDuration(defaultCacheDuration) : undefined,
    plugin,
    tokenMode: tokenMode
      ? {
          audience: tokenMode.audience ?? "",
          requireServiceAccount: tokenMode.requireServiceAccount ?? false,
          requiredAnnotationKeys: tokenMode.requiredAnnotationKeys ?? [],
          optionalAnnotationKeys: tokenMode.optionalAnnotationKeys ?? [],
          cacheType: tokenMode.cacheType ?? "",
        }
      : undefined,
    serviceAccounts: stubAccounts(scenario),
    now: options.now ?? (() => 0),
    onLog: (entry) => logs.push(entry),
  });
  const pod = { namespace: "", name: "", uid: "", serviceAccountName: "", ...scenario.pod };
  return { provider, pod, requests, logs };
}

function respond({ pluginResponse, pluginError }: StubScenario): ProviderResponse {
  const error = pluginError ?? pluginResponse?.error;
  if (error !== undefined) throw new GoError(error);
  if (!pluginResponse) throw new GoError("the plugin has no response");
  const { cacheKeyType, cacheDuration, auth } = pluginResponse;
  return {
    cacheKeyType,
    cacheDuration: typeof cacheDuration === "string" ? parseDuration(cacheDuration) : undefined,
    auth: documentOf(auth ?? {}),
  };
}

function stubAccounts({ serviceAccount, token }: StubScenario): ServiceAccounts {
  let calls = 0;
  return {
    get() {
      const error = serviceAccount ? serviceAccount.error : "service account not found";
      if (error !== undefined) return Promise.reject(new Error(error));
      return Promise.resolve({
        uid: serviceAccount?.uid ?? "",
        annotations: serviceAccount?.annotations ?? {},
      });
    },
    requestToken() {
      if (typeof token === "string") return Promise.resolve(new Secret(token));
      if (token && "error" in token) return Promise.reject(new Error(token.error));
      return Promise.resolve(new Secret(token ? `token-${++calls}` : ""));
    },
  };
}

export function documentOf(auth: PlainAuth): DockerDocument {
  return new Map(
    Object.entries(auth).map(([key, { username = "", password = "" }]): [string, DockerEntry] => [
      key,
      { username, password: new Secret(password), email: "" },
    ]),
  );
}

export function plainAuth(
  document: ReadonlyMap<string, Pick<DockerEntry, "username" | "password">>,
): unknown {
  return Object.fromEntries(
    [...document].map(([key, { username, password }]) => [key, { username, password: password.reveal() }]),
  );
}
