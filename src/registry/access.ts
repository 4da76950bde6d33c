import type { RegistryRequest, RegistryResponse } from "./request.ts";

/** What a request wants to do, in the words of the token protocol's scopes. */
export interface Access {
  readonly type: "repository" | "registry";
  /** The repository, or `catalog` for the registry's own list of them. */
  readonly name: string;
  readonly actions: readonly ("pull" | "push" | "delete" | "*")[];
}

export type Decision =
  | {
      readonly allowed: true;
      /** Nobody ever said who may do what here. */
      readonly unguarded?: true | undefined;
      /** How it logged in, for logs: `alice`, `robot+ci`; absent for nobody. */
      readonly caller?: string | undefined;
    }
  | {
      readonly allowed: false;
      readonly caller?: string | undefined;
      /** 401 asks for (other) credentials, 403 says that none will ever do, 429 to come again later. */
      readonly status: 401 | 403 | 429;
      /** One sentence without secrets. */
      readonly reason: string;
      /** For `WWW-Authenticate`. */
      readonly challenge?: string | undefined;
      /** The same challenge for other access: a request may go well with more than it has to have. */
      readonly challengeFor?: ((access: readonly Access[]) => string) | undefined;
      /** Seconds, for `Retry-After`. */
      readonly retryAfter?: number | undefined;
      /** The same caller has only to ask for another token. */
      readonly renewable?: boolean | undefined;
    };

/**
 * Says whether a request may have all of `access`; an empty list is the question whether its credentials are good
 * at all. Asked before anything about the repository is looked up; a registry that closes doesn't wait for the answer.
 */
export type Authorize = (request: RegistryRequest, access: readonly Access[]) => Decision | Promise<Decision>;

/** Who may not try to log in for a while. */
export interface LockedOut {
  readonly kind: "account" | "address";
  /** A login or an address. */
  readonly name: string;
  /** Milliseconds until one more attempt is allowed. */
  readonly wait: number;
}

/** The repositories that a caller may pull from, for lists that show nothing else. */
export interface RepositoryView {
  sees(repository: string): boolean | Promise<boolean>;
  /** Everything that is seen begins with one of these; sorted, none the beginning of another. */
  readonly prefixes: readonly string[];
}

/** Who may do what in a registry. */
export interface AccessControl extends AsyncDisposable {
  readonly authorize: Authorize;
  /** Asked for requests that `authorize` let in. */
  viewFor(request: RegistryRequest): RepositoryView | Promise<RepositoryView>;
  /**
   * Answers for paths outside the protocol, such as a token service's; `undefined` for all others. A registry that
   * closes waits for them.
   */
  serve?(request: RegistryRequest): Promise<RegistryResponse | undefined> | undefined;
  /** Those that guessed too often, now. */
  lockedOut?(): readonly LockedOut[];
}

/** Everybody may do everything. */
export const allowAll: Authorize = () => ALLOWED;

const ALLOWED: Decision = { allowed: true, unguarded: true };

export const SEES_ALL: RepositoryView = { sees: () => true, prefixes: [""] };

/** Lists show what a plain function allows to be pulled, asked about one repository after another. */
export function accessBy(authorize: Authorize): AccessControl {
  const view = (request: RegistryRequest): RepositoryView => ({
    prefixes: [""],
    sees: async (name) => (await authorize(request, [pullFrom(name)])).allowed,
  });
  return {
    authorize,
    viewFor: (request) => (authorize === allowAll ? SEES_ALL : view(request)),
    [Symbol.asyncDispose]: async () => {},
  };
}

export function pullFrom(name: string): Access {
  return { type: "repository", name, actions: ["pull"] };
}

/** Sorted, and without those that begin with another one. */
export function coveringPrefixes(prefixes: Iterable<string>): readonly string[] {
  const kept: string[] = [];
  // Names of repositories are ASCII, where this is the order of bytes, too.
  for (const prefix of [...new Set(prefixes)].toSorted((a, b) => (a < b ? -1 : 1))) {
    const last = kept.at(-1);
    if (last === undefined || !prefix.startsWith(last)) kept.push(prefix);
  }
  return kept;
}

/**
 * Where a list goes on after `after` so that nothing in between is seen: `after` itself, or a text just before the
 * next prefix. `undefined` when nothing more can be seen.
 */
export function seek(view: RepositoryView, after: string): string | undefined {
  for (const prefix of view.prefixes) {
    if (after < prefix) return before(prefix);
    if (after.startsWith(prefix)) return after;
  }
  return undefined;
}

/** No name of a repository lies between this text and `prefix`: names have no character above "z". */
function before(prefix: string): string {
  const last = prefix.charCodeAt(prefix.length - 1);
  return `${prefix.slice(0, -1)}${String.fromCharCode(last - 1)}~`;
}
