/** A registry with tenants, said again as plainly as it can be: what each request has to be answered. */
import { digestOf, type Digest } from "../../src/oci/index.ts";

export type Action = "pull" | "push" | "delete";

export interface Actor {
  readonly name: string;
  readonly anonymous: boolean;
  readonly may: (action: Action, repository: string) => boolean;
}

/** `undefined` for a name and password; else what a token was asked for. */
export type Scopes = readonly (readonly [string, readonly Action[]])[] | undefined;

export interface Manifest {
  readonly text: string;
  readonly digest: Digest;
  readonly blobs: readonly Digest[];
  readonly subject: Digest | undefined;
}

interface Repository {
  /** Blobs that no manifest names, and since when, or when somebody was last told that they are there. */
  readonly loose: Map<Digest, number>;
  readonly blobs: Map<Digest, string>;
  readonly manifests: Map<Digest, Manifest>;
  readonly tags: Map<string, Digest>;
}

export interface Expected {
  readonly status: number;
  readonly body?: string;
  readonly list?: readonly string[];
  readonly more?: boolean;
}

export class Model {
  readonly #repositories = new Map<string, Repository>();
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** 401 or 403 for who may not have all of this; `undefined` for who may. */
  refusal(actor: Actor, scopes: Scopes, wanted: Scopes & object): number | undefined {
    const each = wanted.flatMap(([repository, actions]) =>
      actions.map((action) => [repository, action] as const),
    );
    if (!each.every(([repository, action]) => actor.may(action, repository)))
      return actor.anonymous ? 401 : 403;
    const granted = each.every(([repository, action]) => isGranted(scopes, repository, action));
    return granted ? undefined : 401;
  }

  pushBlob(repository: string, text: string): Expected {
    this.#show(repository, text);
    return { status: 201 };
  }

  /** Like a look at the blob, and a promise that it stays for a while. */
  headBlob(repository: string, digest: Digest): Expected {
    const known = this.#repositories.get(repository);
    if (known?.loose.has(digest) === true) known.loose.set(digest, this.#now());
    return { status: this.blob(repository, digest).status };
  }

  /** Blobs go that were loose for so long. How many did. */
  collect(grace: number): number {
    let gone = 0;
    for (const { blobs, loose } of this.#repositories.values()) {
      for (const [digest, since] of loose) {
        if (since > this.#now() - grace) continue;
        loose.delete(digest);
        blobs.delete(digest);
        gone++;
      }
    }
    return gone;
  }

  /** Everything that some repository shows. */
  content(): readonly Digest[] {
    const shown = [...this.#repositories.values()].flatMap(({ blobs, manifests }) => [
      ...blobs.keys(),
      ...manifests.keys(),
    ]);
    return [...new Set(shown)].toSorted();
  }

  blob(repository: string, digest: Digest): Expected {
    const body = this.#repositories.get(repository)?.blobs.get(digest);
    return body === undefined ? { status: 404 } : { status: 200, body };
  }

  deleteBlob(repository: string, digest: Digest): Expected {
    const known = this.#repositories.get(repository);
    if (known?.blobs.delete(digest) !== true) return { status: 404 };
    this.#settle(known);
    return { status: 202 };
  }

  /** Only what the caller may pull counts, and of that what their token says; for a source they named they may get another. */
  mount(
    actor: Actor,
    scopes: Scopes,
    to: string,
    blob: { digest: Digest; from: string | undefined },
  ): Expected {
    const { digest, from } = blob;
    const readable = (name: string): boolean => actor.may("pull", name);
    const holders = this.#names().filter((name) => this.#repositories.get(name)?.blobs.has(digest) === true);
    const granted = (name: string): boolean => readable(name) && isGranted(scopes, name, "pull");
    const source = from === undefined ? holders.find(granted) : readable(from) ? from : undefined;
    if (source === undefined) return { status: 202 };
    if (!granted(source)) return { status: 401 };
    const text = this.#repositories.get(source)?.blobs.get(digest);
    if (text === undefined) return { status: 202 };
    this.#show(to, text);
    return { status: 201 };
  }

  putManifest(repository: string, manifest: Manifest, tag: string): Expected {
    const known = this.#repositories.get(repository);
    if (!manifest.blobs.every((digest) => known?.blobs.has(digest) === true)) return { status: 400 };
    const opened = this.#open(repository);
    opened.manifests.set(manifest.digest, manifest);
    opened.tags.set(tag, manifest.digest);
    this.#settle(opened);
    return { status: 201 };
  }

  manifest(repository: string, reference: string): Expected {
    const known = this.#repositories.get(repository);
    const digest = reference.includes(":") ? reference : known?.tags.get(reference);
    const body = known?.manifests.get(digest as Digest)?.text;
    return body === undefined ? { status: 404 } : { status: 200, body };
  }

  deleteManifest(repository: string, reference: string): Expected {
    const known = this.#repositories.get(repository);
    if (!reference.includes(":")) return { status: known?.tags.delete(reference) === true ? 202 : 404 };
    if (known?.manifests.delete(reference as Digest) !== true) return { status: 404 };
    for (const [tag, digest] of known.tags) if (digest === reference) known.tags.delete(tag);
    this.#settle(known);
    return { status: 202 };
  }

  tags(repository: string, page: { readonly last: string; readonly n: number }): Expected {
    const known = this.#repositories.get(repository);
    return known === undefined ? { status: 404 } : pageOf([...known.tags.keys()], page);
  }

  catalog(actor: Actor, page: { readonly last: string; readonly n: number }): Expected {
    return pageOf(
      this.#names().filter((name) => actor.may("pull", name)),
      page,
    );
  }

  referrers(repository: string, subject: Digest): Expected {
    const manifests = [...(this.#repositories.get(repository)?.manifests.values() ?? [])];
    const list = manifests.filter((one) => one.subject === subject).map((one) => one.digest);
    return { status: 200, list: list.toSorted() };
  }

  #names(): string[] {
    return [...this.#repositories.keys()].toSorted();
  }

  #show(name: string, text: string): void {
    const repository = this.#open(name);
    repository.blobs.set(digestOf(text), text);
    // Shown again, its time begins again.
    repository.loose.delete(digestOf(text));
    this.#settle(repository);
  }

  #settle({ blobs, manifests, loose }: Repository): void {
    const named = new Set([...manifests.values()].flatMap((manifest) => manifest.blobs));
    for (const digest of loose.keys()) if (named.has(digest) || !blobs.has(digest)) loose.delete(digest);
    for (const digest of blobs.keys()) {
      if (!named.has(digest) && !loose.has(digest)) loose.set(digest, this.#now());
    }
  }

  #open(name: string): Repository {
    const fresh = { blobs: new Map(), manifests: new Map(), tags: new Map(), loose: new Map() };
    const known = this.#repositories.get(name) ?? fresh;
    this.#repositories.set(name, known);
    return known;
  }
}

function isGranted(scopes: Scopes, repository: string, action: Action): boolean {
  return (
    scopes === undefined || scopes.some(([name, actions]) => name === repository && actions.includes(action))
  );
}

function pageOf(
  all: readonly string[],
  { last, n }: { readonly last: string; readonly n: number },
): Expected {
  const rest = all.filter((one) => one > last).toSorted();
  return { status: 200, list: rest.slice(0, n), more: n > 0 && rest.length > n };
}
