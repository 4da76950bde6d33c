import {
  type KubernetesClient,
  type KubernetesObject,
  type ResourceClient,
  StatusError,
} from "../../kubernetes/index.ts";
import { isRefusal, KubernetesClientError } from "../../kubernetes/index.ts";
import type { Secret } from "../../credentials/index.ts";
import type { TenantDelivery, TenantLogin, TenantNamespace, TenantUse } from "../../registry/index.ts";
import { CliError } from "../errors.ts";
import { isOfTenant, passwordIn, secretName, TENANT_LABEL, tenantSecret } from "./pull-secret.ts";
import { ACCOUNT, accountWith, addEntry, removeEntry } from "./service-account.ts";

export interface ClusterDeliveryOptions {
  readonly client: KubernetesClient;
  readonly tenant: { readonly name: string; readonly registry: string };
  /** Told of everything that was changed: `secret/dray-acme-pull in namespace shop created`. */
  readonly onChange: (text: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** How often something is tried that others change at the same moment, or a server that is away for one. */
const ATTEMPTS = 7;
const FIRST_DELAY = 100;

/** Puts a tenant's logins into the namespaces of a cluster. */
export class ClusterDelivery implements TenantDelivery {
  readonly #options: ClusterDeliveryOptions;
  readonly #secrets: ResourceClient;
  readonly #accounts: ResourceClient;
  readonly #namespaces: ResourceClient;

  constructor(options: ClusterDeliveryOptions) {
    this.#options = options;
    const { client } = options;
    const core = { group: "", version: "v1" } as const;
    this.#secrets = client.resource({ ...core, resource: "secrets", namespaced: true });
    this.#accounts = client.resource({ ...core, resource: "serviceaccounts", namespaced: true });
    this.#namespaces = client.resource({ ...core, resource: "namespaces", namespaced: false });
  }

  /**
   * Makes sure, before anything is begun, that there are all the namespaces, and nothing of somebody else's in the way.
   *
   * @throws CliError `NAMESPACE_UNKNOWN`, `SECRET_TAKEN`; StatusError for what the server refuses
   */
  async prepare(
    namespaces: readonly TenantNamespace[],
    options: { readonly create: boolean },
  ): Promise<void> {
    for (const { name } of namespaces) {
      if ((await this.#namespaces.find(name, this.#at())) === undefined) await this.#missing(name, options);
      for (const use of ["pull", "push"] as const) await this.#own(name, use);
    }
  }

  async find({ name }: TenantNamespace, use: TenantUse): Promise<Secret | undefined> {
    const found = await this.#secrets.find(secretName(this.#options.tenant.name, use), this.#at(name));
    if (found === undefined || !isOfTenant(found, this.#options.tenant.name)) return undefined;
    return passwordIn(found);
  }

  async deliver(namespace: TenantNamespace, login: TenantLogin): Promise<"delivered" | "gone"> {
    try {
      await this.#patiently(async () => await this.#putSecret(namespace.name, login));
      if (login.use === "pull") await this.#patiently(async () => await this.#putEntry(namespace.name));
      return "delivered";
    } catch (error) {
      if (isGone(error)) return "gone";
      throw error;
    }
  }

  async remove({ name }: TenantNamespace): Promise<void> {
    try {
      // Pods that come now shall not wait for a Secret that goes.
      await this.#patiently(async () => await this.#dropEntry(name));
      for (const use of ["pull", "push"] as const) {
        await this.#patiently(async () => await this.#dropSecret(name, use));
      }
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }

  async #missing(name: string, { create }: { readonly create: boolean }): Promise<void> {
    const { tenant, onChange } = this.#options;
    if (!create) {
      const how = "make it, or add --create-namespaces";
      const message = `Cannot use namespace ${JSON.stringify(name)} for tenant ${JSON.stringify(tenant.name)}: it isn't in the cluster; ${how}`;
      throw new CliError("NAMESPACE_UNKNOWN", message);
    }
    const labels = { [TENANT_LABEL]: tenant.name };
    try {
      await this.#namespaces.create(
        { apiVersion: "v1", kind: "Namespace", metadata: { name, labels } },
        this.#at(),
      );
      onChange(`namespace/${name} created`);
    } catch (error) {
      if (!isRefusal(error, 409)) throw error;
    }
  }

  /** The Secret of ours, if there is one. */
  async #own(namespace: string, use: TenantUse): Promise<KubernetesObject | undefined> {
    const { tenant } = this.#options;
    const name = secretName(tenant.name, use);
    const found = await this.#secrets.find(name, this.#at(namespace));
    if (found === undefined || isOfTenant(found, tenant.name)) return found;
    const how = `it isn't labelled ${TENANT_LABEL}=${tenant.name}, so it is somebody else's; rename or delete it`;
    const message = `Cannot use Secret ${JSON.stringify(name)} in namespace ${JSON.stringify(namespace)}: ${how}`;
    throw new CliError("SECRET_TAKEN", message);
  }

  async #putSecret(namespace: string, login: TenantLogin): Promise<void> {
    const { tenant, onChange } = this.#options;
    const wanted = tenantSecret(tenant, namespace, login);
    const what = `secret/${wanted.metadata.name} in namespace ${namespace}`;
    const found = await this.#own(namespace, login.use);
    if (found === undefined) {
      await this.#secrets.create(wanted, this.#at(namespace));
      return onChange(`${what} created`);
    }
    if (JSON.stringify(found["data"]) === JSON.stringify(wanted["data"])) return;
    // With the version that was looked at: what was changed since is looked at again.
    await this.#secrets.update({ ...found, data: wanted["data"] ?? {} }, this.#at(namespace));
    onChange(`${what} updated`);
  }

  async #putEntry(namespace: string): Promise<void> {
    const { tenant, onChange } = this.#options;
    const entry = secretName(tenant.name, "pull");
    const found = await this.#accounts.find(ACCOUNT, this.#at(namespace));
    const what = `serviceaccount/${ACCOUNT} in namespace ${namespace}`;
    if (found === undefined) {
      // A namespace this young gets its account in a moment, and that is made only where there is none.
      await this.#accounts.create(accountWith(entry, tenant.name, namespace), this.#at(namespace));
      return onChange(`${what} created, with the Secret`);
    }
    const body = addEntry(found, entry, tenant.name);
    if (body === undefined) return;
    await this.#accounts.patch(ACCOUNT, { type: "json", body }, this.#at(namespace));
    onChange(`${what} has the Secret`);
  }

  async #dropEntry(namespace: string): Promise<void> {
    const found = await this.#accounts.find(ACCOUNT, this.#at(namespace));
    const body = found && removeEntry(found, this.#options.tenant.name);
    if (body === undefined) return;
    await this.#accounts.patch(ACCOUNT, { type: "json", body }, this.#at(namespace));
    this.#options.onChange(`serviceaccount/${ACCOUNT} in namespace ${namespace} is without the Secret`);
  }

  async #dropSecret(namespace: string, use: TenantUse): Promise<void> {
    const { tenant, onChange } = this.#options;
    const name = secretName(tenant.name, use);
    const found = await this.#secrets.find(name, this.#at(namespace));
    if (found === undefined || !isOfTenant(found, tenant.name)) return;
    const { uid } = found.metadata;
    const preconditions = uid === undefined ? {} : { preconditions: { uid } };
    await this.#secrets.delete(name, { ...this.#at(namespace), ...preconditions });
    onChange(`secret/${name} in namespace ${namespace} deleted`);
  }

  #at(namespace?: string): { readonly namespace?: string; readonly signal?: AbortSignal | undefined } {
    const { signal } = this.#options;
    return { signal, ...(namespace !== undefined && { namespace }) };
  }

  /** Everything here begins by looking, so trying again does what is left to do. */
  async #patiently(attempt: () => Promise<void>): Promise<void> {
    const { client, signal } = this.#options;
    for (let tries = 1; ; tries++) {
      try {
        return await attempt();
      } catch (error) {
        signal?.throwIfAborted();
        if (tries >= ATTEMPTS || !mayPass(error)) throw error;
        const delay = FIRST_DELAY * 2 ** (tries - 1) * (0.5 + client.random());
        await client.clock.wait(delay, signal);
      }
    }
  }
}

/** Somebody else was faster, or the server is away or overburdened for a moment. */
function mayPass(error: unknown): boolean {
  if (error instanceof KubernetesClientError) return error.code.startsWith("NETWORK_");
  if (!(error instanceof StatusError)) return false;
  const { code = 0 } = error.status;
  // 422 is the answer to a patch for something that isn't so any more.
  return code === 409 || code === 422 || code === 429 || code >= 500;
}

/** The namespace isn't there any more, or is about to go. */
function isGone(error: unknown): boolean {
  if (isRefusal(error, 404)) return true;
  const causes = error instanceof StatusError ? (error.status.details?.causes ?? []) : [];
  return causes.some(({ reason }) => reason === "NamespaceTerminating");
}
