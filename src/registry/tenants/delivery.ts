import type { Secret } from "../../internal/secret.ts";
import type { TenantNamespace, TenantUse } from "./tenant.ts";

export interface TenantLogin {
  readonly use: TenantUse;
  /** `robot+acme.pull` */
  readonly login: string;
  readonly secret: Secret;
}

export type TenantLogins = Readonly<Record<TenantUse, TenantLogin>>;

/**
 * Where a tenant's namespaces are. What is asked for here may have been done before, wholly or in part: doing it
 * again changes nothing.
 */
export interface TenantDelivery {
  /** The secret that a namespace has for this; `undefined` where it has none, or can't have: it is gone itself. */
  find(namespace: TenantNamespace, use: TenantUse): Promise<Secret | undefined>;
  /** Puts a login there for Pods to pull with, or for builds to push with. `gone` when there is no such namespace. */
  deliver(namespace: TenantNamespace, login: TenantLogin): Promise<"delivered" | "gone">;
  /** Takes out what was put there, and nothing else. */
  remove(namespace: TenantNamespace): Promise<void>;
}
