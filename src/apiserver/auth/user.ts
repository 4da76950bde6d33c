/** Who asks. */
export interface ApiUser {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: { readonly [name: string]: readonly string[] };
}

export const AUTHENTICATED = "system:authenticated";
export const UNAUTHENTICATED = "system:unauthenticated";
/** May do everything. */
export const MASTERS = "system:masters";
export const NODES = "system:nodes";
export const SERVICE_ACCOUNTS = "system:serviceaccounts";

export const ADMIN: ApiUser = { name: "admin", uid: "1", groups: [MASTERS, AUTHENTICATED] };
export const ANONYMOUS: ApiUser = { name: "system:anonymous", groups: [UNAUTHENTICATED] };
/** Who the server is when it acts by itself: collects garbage, empties namespaces. */
export const APISERVER: ApiUser = { name: "system:apiserver", groups: [MASTERS, AUTHENTICATED] };

const PREFIX = "system:serviceaccount:";

export function serviceAccountUser(
  namespace: string,
  name: string,
  more: { readonly uid?: string; readonly extra?: ApiUser["extra"] } = {},
): ApiUser {
  const groups = [SERVICE_ACCOUNTS, `${SERVICE_ACCOUNTS}:${namespace}`, AUTHENTICATED];
  return {
    name: `${PREFIX}${namespace}:${name}`,
    ...(more.uid !== undefined && { uid: more.uid }),
    groups,
    ...(more.extra && { extra: more.extra }),
  };
}

export function parseServiceAccountUser(
  name: string,
): { readonly namespace: string; readonly name: string } | undefined {
  if (!name.startsWith(PREFIX)) return undefined;
  const [namespace, account, ...more] = name.slice(PREFIX.length).split(":");
  return namespace && account && more.length === 0 ? { namespace, name: account } : undefined;
}
