import type { EndpointSettings } from "../../config/config.ts";
import { Notifier, type NotifierOptions } from "./notifier.ts";
import { openEndpoint } from "./open-endpoint.ts";

export type SwitchableNotifierOptions = Omit<NotifierOptions, "endpoints"> & {
  /** Told of the notifier when there is one: with the first endpoint. */
  readonly onOpen: (notifier: Notifier) => void;
};

/** Notifications that follow their configuration. Without an endpoint there is no queue, and nothing is slower. */
export class SwitchableNotifier implements AsyncDisposable {
  readonly #options: SwitchableNotifierOptions;
  #notifier: Notifier | undefined;
  #current = "[]";

  constructor(options: SwitchableNotifierOptions) {
    this.#options = options;
  }

  get notifier(): Notifier | undefined {
    return this.#notifier;
  }

  /**
   * Tells these endpoints from now on, with the secrets that their files hold now; whether that is anything new.
   * `force`: read the files though the settings are the same.
   *
   * @throws RegistryError `CONFIG_UNREADABLE`, and then those before go on; DatabaseError for the queue
   */
  async replace(
    settings: readonly EndpointSettings[],
    { force }: { readonly force: boolean },
  ): Promise<boolean> {
    const wanted = JSON.stringify(settings);
    if (wanted === this.#current && (!force || settings.length === 0)) return false;
    const endpoints = await Promise.all(settings.map(openEndpoint));
    if (this.#notifier !== undefined) await this.#notifier.setEndpoints(endpoints);
    else if (endpoints.length > 0) {
      this.#notifier = new Notifier({ ...this.#options, endpoints });
      this.#options.onOpen(this.#notifier);
    }
    this.#current = wanted;
    return true;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#notifier?.[Symbol.asyncDispose]();
  }
}
