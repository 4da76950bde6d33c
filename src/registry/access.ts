import type { RegistryRequest } from "./request.ts";

/** What a request wants to do, in the words of the token protocol's scopes. */
export interface Access {
  readonly type: "repository" | "registry";
  /** The repository, or `catalog` for the registry's own list of them. */
  readonly name: string;
  readonly actions: readonly ("pull" | "push" | "delete" | "*")[];
}

export type Decision =
  | { readonly allowed: true }
  | {
      readonly allowed: false;
      /** 401 asks for (other) credentials, 403 says that none will ever do. */
      readonly status: 401 | 403;
      /** One sentence without secrets. */
      readonly reason: string;
      /** For `WWW-Authenticate`. */
      readonly challenge?: string | undefined;
    };

/**
 * Says whether a request may have all of `access`; an empty list is the question whether its credentials are good
 * at all. Asked before anything about the repository is looked up.
 */
export type Authorize = (request: RegistryRequest, access: readonly Access[]) => Decision | Promise<Decision>;

/** Everybody may do everything. */
export const allowAll: Authorize = () => ALLOWED;

const ALLOWED: Decision = { allowed: true };
