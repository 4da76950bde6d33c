import type { Reference } from "../../reference/index.ts";
import type { TagChange, TagChanges } from "../../node/index.ts";
import type { TagPush } from "../../registry/index.ts";

/** Names under which the registry of this process is known on this machine. */
const LOCAL_NAMES = ["localhost", "127.0.0.1", "[::1]"];

/** Carries pushes to the registry of this process over to the node beside it. */
export class RegistryTags implements TagChanges {
  readonly #listeners = new Set<(change: TagChange) => void>();
  #hosts: ReadonlySet<string> = new Set();

  /** Where the registry listens, once that is known. */
  listenOn(address: string, port: number): void {
    const host = address.includes(":") ? `[${address}]` : address;
    this.#hosts = new Set([...LOCAL_NAMES, host].map((name) => `${name}:${port}`));
  }

  announce({ repository, tag, digest }: TagPush): void {
    const hosts = this.#hosts;
    const concerns = (reference: Reference): boolean =>
      hosts.has(reference.domain) &&
      reference.path === repository &&
      (reference.digest === undefined ? reference.tag === tag : reference.digest === digest);
    for (const listener of this.#listeners) listener({ concerns });
  }

  subscribe(listener: (change: TagChange) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}
