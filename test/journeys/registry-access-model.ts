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
    this.#open(repository).blobs.set(digestOf(text), text);
    return { status: 201 };
  }

  blob(repository: string, digest: Digest): Expected {
    const body = this.#repositories.get(repository)?.blobs.get(digest);
    return body === undefined ? { status: 404 } : { status: 200, body };
  }

  deleteBlob(repository: string, digest: Digest): Expected {
    return { status: this.#repositories.get(repository)?.blobs.delete(digest) === true ? 202 : 404 };
  }

  /** Only what the caller may pull counts, and only what their token says is linked without another one. */
  mount(
    actor: Actor,
    scopes: Scopes,
    to: string,
    blob: { digest: Digest; from: string | undefined },
  ): Expected {
    const { digest, from } = blob;
    const readable = (name: string): boolean => actor.may("pull", name);
    const holders = this.#names().filter((name) => this.#repositories.get(name)?.blobs.has(digest) === true);
    const source = from === undefined ? holders.find(readable) : readable(from) ? from : undefined;
    if (source === undefined) return { status: 202 };
    if (!isGranted(scopes, source, "pull")) return { status: 401 };
    const text = this.#repositories.get(source)?.blobs.get(digest);
    if (text === undefined) return { status: 202 };
    this.#open(to).blobs.set(digest, text);
    return { status: 201 };
  }

  putManifest(repository: string, manifest: Manifest, tag: string): Expected {
    const known = this.#repositories.get(repository);
    if (!manifest.blobs.every((digest) => known?.blobs.has(digest) === true)) return { status: 400 };
    const { manifests, tags } = this.#open(repository);
    manifests.set(manifest.digest, manifest);
    tags.set(tag, manifest.digest);
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

  #open(name: string): Repository {
    const known = this.#repositories.get(name) ?? { blobs: new Map(), manifests: new Map(), tags: new Map() };
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
