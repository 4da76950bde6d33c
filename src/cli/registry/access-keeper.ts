import type { BlockList } from "node:net";

import {
  type AccessControl,
  type AccessSettings,
  type AccessStore,
  guardTenants,
  type LoginFailed,
  openAccess,
  proxiesOf,
  SwitchableAccess,
  TenantMemory,
  type TenantStore,
} from "../../registry/index.ts";
import { formatMembers } from "./format-members.ts";
import type { LoginCounts } from "./metrics.ts";

export interface AccessKeeperOptions {
  readonly store: AccessStore;
  /** Without settings, everybody may do everything until there are some. */
  readonly tenants: TenantStore;
  readonly logins: LoginCounts;
  readonly onLoginFailed: (event: LoginFailed) => void;
  readonly onFailure: (error: unknown) => void;
}

/** Access control that follows its configuration. */
export class AccessKeeper implements AsyncDisposable {
  readonly control: SwitchableAccess;
  readonly #options: AccessKeeperOptions;
  #proxies: BlockList | undefined;
  #current: string;

  private constructor(
    first: AccessControl,
    settings: AccessSettings | undefined,
    options: AccessKeeperOptions,
  ) {
    this.#options = options;
    this.control = new SwitchableAccess(first, options.onFailure);
    this.#proxies = proxiesIn(settings);
    this.#current = formatMembers(settings);
  }

  /** @throws RegistryError */
  static async open(
    settings: AccessSettings | undefined,
    options: AccessKeeperOptions,
  ): Promise<AccessKeeper> {
    return new AccessKeeper(await open(settings, options), settings, options);
  }

  /** Networks whose word on where a request came from is taken; `undefined` for none. */
  get proxies(): BlockList | undefined {
    return this.#proxies;
  }

  /**
   * Lets other settings decide from now on; whether they are others. What can't be used leaves everything as it was.
   *
   * @throws RegistryError
   */
  async replace(
    settings: AccessSettings | undefined,
    { force }: { readonly force: boolean },
  ): Promise<boolean> {
    const wanted = formatMembers(settings);
    if (wanted === this.#current && !force) return false;
    const next = await open(settings, this.#options);
    this.#proxies = proxiesIn(settings);
    this.#current = wanted;
    this.control.switchTo(next);
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.control[Symbol.asyncDispose]();
  }
}

async function open(
  settings: AccessSettings | undefined,
  { store, tenants, logins, onLoginFailed, onFailure }: AccessKeeperOptions,
): Promise<AccessControl> {
  const options = {
    store,
    onFailure,
    onLogin: () => logins.count("ok"),
    onLoginFailed: (event: LoginFailed) => {
      logins.count(event.lockedOut ? "locked-out" : "failed");
      onLoginFailed(event);
    },
  };
  if (settings === undefined) {
    return guardTenants({ memory: new TenantMemory(tenants), openClosed: () => openAccess({}, options) });
  }
  return await openAccess(settings.config, { ...options, folder: settings.folder });
}

function proxiesIn(settings: AccessSettings | undefined): BlockList | undefined {
  const { trustedProxies = [] } = settings?.config ?? {};
  return settings === undefined || trustedProxies.length === 0 ? undefined : proxiesOf(settings.config);
}
