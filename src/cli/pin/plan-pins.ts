/** What is to become of each image: a digest it gets, one that is still right, or one whose tag has moved on. */
import { type ImagePattern, parseImagePattern } from "../../admission/index.ts";
import { type Digest, type ImageSource } from "../../oci/index.ts";
import { familiarString, parseReference, type Reference } from "../../reference/index.ts";
import { describeError } from "../report-error.ts";
import { chooseTag, type TagRule } from "./choose-tag.ts";

export interface TagSource extends Pick<ImageSource, "resolve"> {
  tags(options: { readonly signal: AbortSignal }): AsyncIterable<string>;
}

/** The first rule whose pattern matches counts; without one, tags stay as they are. */
export interface UpdateRule {
  readonly pattern: ImagePattern;
  readonly rule: TagRule;
}

export interface PinOptions {
  readonly repository: (reference: Reference) => TagSource;
  /** Look up what is pinned already, too, and take what the tag stands for now. */
  readonly update: boolean;
  readonly rules: readonly UpdateRule[];
  readonly signal: AbortSignal;
}

export type Pin =
  /** A tag without a digest. */
  | { readonly state: "unpinned"; readonly image: string; readonly becomes: string; readonly digest: Digest }
  | { readonly state: "pinned"; readonly image: string }
  /** Its tag, or the newest that a rule allows, stands for something else now. */
  | {
      readonly state: "moved";
      readonly image: string;
      readonly becomes: string;
      readonly from: Digest;
      readonly digest: Digest;
      /** The tag as it is written, and the one that was chosen. */
      readonly present: string;
      readonly tag: string;
    }
  /** Nothing tells whether a digest without a tag is still meant. */
  | { readonly state: "fixed"; readonly image: string }
  | { readonly state: "failed"; readonly image: string; readonly message: string };

/** `PATTERN=patch`: the last equal sign counts. */
export function parseUpdateRule(text: string, rules: readonly TagRule[]): UpdateRule | undefined {
  const at = text.lastIndexOf("=");
  const rule = rules.find((known) => known === text.slice(at + 1));
  return at <= 0 || rule === undefined ? undefined : { pattern: parseImagePattern(text.slice(0, at)), rule };
}

/** Each image's fate, however often it is asked for: every question goes to a registry once. */
export class PinPlanner {
  readonly #options: PinOptions;
  readonly #pins = new Map<string, Promise<Pin>>();
  readonly #digests = new Map<string, Promise<Digest>>();
  readonly #tags = new Map<string, Promise<readonly string[]>>();

  constructor(options: PinOptions) {
    this.#options = options;
  }

  plan(image: string): Promise<Pin> {
    const known = this.#pins.get(image) ?? this.#plan(image);
    this.#pins.set(image, known);
    return known;
  }

  async #plan(image: string): Promise<Pin> {
    const { signal, update } = this.#options;
    try {
      const reference = parseReference(image);
      const { digest: pinned } = reference;
      if (pinned !== undefined && reference.tag === undefined) return { state: "fixed", image };
      if (pinned !== undefined && !update) return { state: "pinned", image };
      const present = reference.tag ?? "latest";
      const tag = update ? await this.#choose(reference, present) : present;
      const digest = await this.#resolve(reference, tag);
      const becomes = withPin(image, { from: reference.tag, tag, digest });
      if (pinned === undefined) return { state: "unpinned", image, becomes, digest };
      if (pinned === digest && tag === present) return { state: "pinned", image };
      return { state: "moved", image, becomes, from: pinned, digest, present, tag };
    } catch (error) {
      signal.throwIfAborted();
      return { state: "failed", image, message: describeError(error).message };
    }
  }

  async #choose(reference: Reference, present: string): Promise<string> {
    const found = this.#options.rules.find(({ pattern }) => pattern.matches(reference));
    if (found === undefined || found.rule === "digest") return present;
    return chooseTag(present, await this.#listTags(reference), found.rule);
  }

  #listTags(reference: Reference): Promise<readonly string[]> {
    const name = familiarString({ domain: reference.domain, path: reference.path });
    const { repository, signal } = this.#options;
    const known = this.#tags.get(name) ?? collect(repository(reference).tags({ signal }));
    this.#tags.set(name, known);
    return known;
  }

  #resolve(reference: Reference, tag: string): Promise<Digest> {
    const key = `${reference.domain}/${reference.path}:${tag}`;
    const known = this.#digests.get(key) ?? this.#ask(reference, tag);
    this.#digests.set(key, known);
    return known;
  }

  async #ask(reference: Reference, tag: string): Promise<Digest> {
    const { repository, signal } = this.#options;
    return (await repository(reference).resolve(tag, { signal })).digest;
  }
}

/** The text as its author wrote it, with another end: `nginx` stays `nginx`, and gets the tag it stood for. */
function withPin(
  image: string,
  { from, tag, digest }: { readonly from: string | undefined; readonly tag: string; readonly digest: Digest },
): string {
  const name = image.split("@")[0] ?? image;
  const bare = from === undefined ? name : name.slice(0, name.length - from.length - 1);
  return `${bare}:${tag}@${digest}`;
}

async function collect(tags: AsyncIterable<string>): Promise<readonly string[]> {
  const list: string[] = [];
  for await (const tag of tags) list.push(tag);
  return list;
}
