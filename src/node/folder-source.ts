import { isDeepStrictEqual } from "node:util";

import type { PullSecret } from "../credentials/index.ts";
import type { ServiceAccountObject } from "../kubernetes/index.ts";
import { type FolderObjects, readFolderObjects } from "./folder-objects.ts";
import { type FolderContent, FolderWatcher } from "./folder-watcher.ts";
import { uidOf } from "./pull-secrets.ts";
import type { PodListener, PodSource, PullSecretLookup } from "./pod-source.ts";

export interface FolderSourceOptions {
  readonly folder: string;
  /** Milliseconds between looks without any notice; 20 s by default. */
  readonly rescanInterval?: number | undefined;
}

const NOTHING: FolderObjects = { pods: new Map(), secrets: new Map(), accounts: new Map(), problems: [] };

/** The Pods of a folder, as the kubelet has its static Pods; and the Secrets and ServiceAccounts beside them. */
export class FolderSource implements PodSource, PullSecretLookup {
  readonly #folder: string;
  readonly #watcher: FolderWatcher;
  #listener: PodListener | undefined;
  #objects = NOTHING;

  constructor(options: FolderSourceOptions) {
    const { folder, rescanInterval } = options;
    this.#folder = folder;
    this.#watcher = new FolderWatcher({
      folder,
      onChange: (content) => this.#apply(content),
      ...(rescanInterval !== undefined && { rescanInterval }),
    });
  }

  async start(listener: PodListener): Promise<void> {
    this.#listener = listener;
    await this.#watcher.start();
  }

  /** Looks at the folder now instead of at the next notice. */
  async rescan(): Promise<void> {
    await this.#watcher.rescan();
  }

  async close(): Promise<void> {
    await this.#watcher.close();
  }

  async getSecret(namespace: string, name: string): Promise<PullSecret> {
    const secret = this.#objects.secrets.get(`${namespace}/${name}`);
    if (secret === undefined) throw new Error(`secret ${JSON.stringify(name)} not found`);
    return secret;
  }

  /** Whether a ServiceAccount is written down here. */
  hasAccount(namespace: string, name: string): boolean {
    return this.#objects.accounts.has(`${namespace}/${name}`);
  }

  /** Every namespace has a ServiceAccount `default`, written down or not. */
  findAccount(
    namespace: string,
    name: string,
  ): (ServiceAccountObject & { readonly uid: string }) | undefined {
    const found = this.#objects.accounts.get(`${namespace}/${name}`);
    const account = found ?? (name === "default" ? defaultAccount(namespace) : undefined);
    if (account === undefined) return undefined;
    return { ...account, uid: account.metadata.uid ?? uidOf("ServiceAccount", namespace, name) };
  }

  #apply(content: FolderContent): void {
    const listener = this.#listener;
    if (listener === undefined) return;
    const before = this.#objects;
    const after = readFolderObjects(this.#folder, content);
    this.#objects = after;
    for (const [key, pod] of before.pods) if (after.pods.get(key)?.uid !== pod.uid) listener.podGone(pod);
    for (const [key, pod] of after.pods) if (before.pods.get(key)?.uid !== pod.uid) listener.podSet(pod);
    for (const { namespace, name } of changedSecrets(before.secrets, after.secrets))
      listener.credentialsChanged({ kind: "secret", namespace, name });
    listener.problems(after.problems);
  }
}

function defaultAccount(namespace: string): ServiceAccountObject {
  const metadata = { namespace, name: "default", annotations: {} };
  return { kind: "ServiceAccount", metadata, imagePullSecrets: [] };
}

/** Those that came, and those that aren't what they were; one that went away mends nothing. */
function changedSecrets(
  before: ReadonlyMap<string, PullSecret>,
  after: ReadonlyMap<string, PullSecret>,
): readonly PullSecret[] {
  return [...after].flatMap(([key, secret]) => (isDeepStrictEqual(before.get(key), secret) ? [] : [secret]));
}
