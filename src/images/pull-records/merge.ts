import { compareBytes } from "../../internal/go/utf8.ts";
import type {
  ImagePullCredentials,
  ImagePulledRecord,
  ImagePullSecret,
  ImagePullServiceAccount,
} from "./record.ts";

export interface Merged<T> {
  readonly value: T;
  readonly changed: boolean;
}

/** Adds what pulled an image under a name to its record. The caller sets the time when it changed. */
export function mergeIntoRecord(
  record: ImagePulledRecord,
  name: string,
  added: ImagePullCredentials | undefined,
): Merged<ImagePulledRecord> {
  const credentials = mergeCredentials(record.credentialMapping.get(name), added);
  if (credentials === undefined) return { value: record, changed: false };
  const credentialMapping = new Map(record.credentialMapping).set(name, credentials);
  return { value: { ...record, credentialMapping }, changed: true };
}

/** What to store instead of `old`; `undefined` when it may stay as it is. */
function mergeCredentials(
  old: ImagePullCredentials | undefined,
  added: ImagePullCredentials | undefined,
): ImagePullCredentials | undefined {
  const secrets = added?.kubernetesSecrets ?? [];
  const accounts = added?.kubernetesServiceAccounts ?? [];
  const open = added?.nodePodsAccessible === true;
  if (!open && secrets.length === 0 && accounts.length === 0) return undefined;
  if (old === undefined) return added;
  if (old.nodePodsAccessible === true) return undefined;
  if (open) return { nodePodsAccessible: true };
  // Whoever brings both has only the secrets merged; so do kubelets.
  if (secrets.length > 0) {
    const { value, changed } = mergeSecrets(old.kubernetesSecrets ?? [], secrets);
    return changed ? { ...old, kubernetesSecrets: value } : undefined;
  }
  const { value, changed } = mergeServiceAccounts(old.kubernetesServiceAccounts ?? [], accounts);
  return changed ? { ...old, kubernetesServiceAccounts: value } : undefined;
}

/** The union by coordinates; equal coordinates take the new hash. Sorted by namespace, name and uid once changed. */
export function mergeSecrets(
  old: readonly ImagePullSecret[],
  added: readonly ImagePullSecret[],
): Merged<readonly ImagePullSecret[]> {
  const all = new Map(old.map((secret) => [coordinatesOf(secret), secret]));
  let changed = false;
  for (const secret of added) {
    const key = coordinatesOf(secret);
    if (all.get(key)?.credentialHash === secret.credentialHash) continue;
    all.set(key, secret);
    changed = true;
  }
  return changed ? { value: [...all.values()].sort(byCoordinates), changed } : { value: old, changed };
}

/** The union, sorted by namespace, name and uid once changed. */
export function mergeServiceAccounts(
  old: readonly ImagePullServiceAccount[],
  added: readonly ImagePullServiceAccount[],
): Merged<readonly ImagePullServiceAccount[]> {
  const all = new Map(old.map((account) => [coordinatesOf(account), account]));
  for (const account of added) {
    const key = coordinatesOf(account);
    if (!all.has(key)) all.set(key, account);
  }
  if (all.size === new Set(old.map(coordinatesOf)).size) return { value: old, changed: false };
  return { value: [...all.values()].sort(byCoordinates), changed: true };
}

/** Whether both are the same object of the cluster. */
export function sameCoordinates(a: ImagePullServiceAccount, b: ImagePullServiceAccount): boolean {
  return a.uid === b.uid && a.namespace === b.namespace && a.name === b.name;
}

function coordinatesOf({ uid, namespace, name }: ImagePullServiceAccount): string {
  return JSON.stringify([uid, namespace, name]);
}

function byCoordinates(a: ImagePullServiceAccount, b: ImagePullServiceAccount): number {
  return compareBytes(a.namespace, b.namespace) || compareBytes(a.name, b.name) || compareBytes(a.uid, b.uid);
}
