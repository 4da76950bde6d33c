/** The credential that comes along with a pull, on its way to the registries it may be shown to. */
import {
  type Credential,
  type CredentialCandidate,
  type CredentialSource,
  type CredentialTarget,
  criAuth,
  type CriAuthConfig,
  hashAuthConfig,
  Secret,
  type TrackedCredential,
} from "../credentials/index.ts";

const ORIGIN = { kind: "argument", label: "the pull's credential" } as const;

export interface PullAuthOptions {
  /**
   * `containerd`, the default, reads what containerd reads. `all` also takes a registry's own token, and a server's
   * address without a scheme or by one of Docker Hub's other names.
   */
  readonly forms?: "containerd" | "all" | undefined;
}

/**
 * Credentials of pulls have forms a runtime's credential has no words for. So one is made that stands for them, and
 * what it stands for is found by it again. Equal ones are recognised as equal.
 */
export class PullAuths {
  readonly #all: boolean;
  readonly #known = new WeakMap<TrackedCredential, CriAuthConfig>();

  constructor({ forms = "containerd" }: PullAuthOptions = {}) {
    this.#all = forms === "all";
  }

  /** `undefined` for one that says nothing: the pull is anonymous. */
  track(auth: CriAuthConfig | undefined): TrackedCredential | undefined {
    if (auth === undefined || isEmpty(auth)) return undefined;
    const { username, password, auth: encoded, serverAddress, identityToken, registryToken } = auth;
    const parts = [username, password, encoded, serverAddress, identityToken, registryToken];
    const whole = new Secret(JSON.stringify(parts.map((part) => part ?? "")));
    const hash = hashAuthConfig({ username: "", password: whole });
    const credential = { username: "", password: whole, email: "", owner: undefined, hash, origin: ORIGIN };
    this.#known.set(credential, auth);
    return credential;
  }

  /** What to show whom; `undefined` for a credential that didn't come with a pull. */
  sourceOf(credential: TrackedCredential): CredentialSource | undefined {
    const auth = this.#known.get(credential);
    return auth && { find: async (target) => this.#find(auth, target) };
  }

  /** @throws CredentialsError `AUTH_INVALID` */
  #find(given: CriAuthConfig, { host }: CredentialTarget): readonly CredentialCandidate[] {
    const contacted = host === HUB ? HUB_HOST : host;
    const auth = this.#all ? normalise(given, contacted) : given;
    const { username, secret } = criAuth(auth, contacted);
    if (secret.reveal() !== "") {
      const credential: Credential =
        username === ""
          ? { kind: "identity-token", token: secret }
          : { kind: "basic", username, password: secret };
      return [{ credential, origin: ORIGIN }];
    }
    const { registryToken = "" } = auth;
    if (!this.#all || registryToken === "") return [];
    return [{ credential: { kind: "registry-token", token: new Secret(registryToken) }, origin: ORIGIN }];
  }
}

const HUB = "docker.io";
const HUB_HOST = "registry-1.docker.io";
const HUB_NAMES: ReadonlySet<string> = new Set([HUB, `index.${HUB}`, HUB_HOST]);

function isEmpty({ username, password, auth, identityToken, registryToken }: CriAuthConfig): boolean {
  return [username, password, auth, identityToken, registryToken].every((part) => !part);
}

/** The address as the host contacted has it, where it means that host. */
function normalise(auth: CriAuthConfig, contacted: string): CriAuthConfig {
  const { serverAddress = "" } = auth;
  if (serverAddress === "") return auth;
  const named = serverAddress.replace(/^[a-z][a-z0-9+.-]*:\/\//i, "").split("/", 1)[0] ?? "";
  const same = named === contacted || (HUB_NAMES.has(named) && HUB_NAMES.has(contacted));
  if (!same) return { ...auth, serverAddress: `https://${named}`, registryToken: "" };
  return { ...auth, serverAddress: "" };
}
