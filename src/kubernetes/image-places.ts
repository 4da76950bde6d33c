/**
 * Where images stand in the text of manifests, so that one can be changed and every other byte stays: comments, order,
 * quotes and line ends.
 */
import {
  type Document,
  isAlias,
  isMap,
  isScalar,
  isSeq,
  LineCounter,
  type Node,
  parseAllDocuments,
  type Scalar,
} from "yaml";

export interface ImagePlace {
  /** As written. */
  readonly image: string;
  /** `spec.template.spec.containers[0].image` */
  readonly path: string;
  readonly kind: string;
  readonly name: string;
  /** Of the object; absent where the manifest names none. */
  readonly namespace?: string;
  /** Counted from 1. */
  readonly line: number;
  readonly column: number;
  /** Where its scalar begins and ends in the text, quotes included. */
  readonly start: number;
  readonly end: number;
  /** Of the same container or volume. */
  readonly policy: PolicyPlace;
}

/** Where a pull policy stands, or could. */
export interface PolicyPlace {
  readonly member: "imagePullPolicy" | "pullPolicy";
  /** Its scalar, quotes included; absent where there is none. */
  readonly at?: { readonly start: number; readonly end: number };
  /** Its mapping is written in braces. */
  readonly flow: boolean;
  /** Of the image's key, counted from 1. */
  readonly column: number;
  /** Keys stand in double quotes. */
  readonly quoted: boolean;
}

export interface UnreadablePlace {
  readonly line: number;
  readonly column: number;
  /** Why it can't be read, or can't be changed in place. */
  readonly message: string;
}

export interface ImagePlaces {
  readonly places: readonly ImagePlace[];
  readonly problems: readonly UnreadablePlace[];
}

/** Where kinds keep their Pod spec. */
const POD_SPECS: Readonly<Record<string, readonly string[]>> = {
  Pod: ["spec"],
  Deployment: ["spec", "template", "spec"],
  ReplicaSet: ["spec", "template", "spec"],
  ReplicationController: ["spec", "template", "spec"],
  StatefulSet: ["spec", "template", "spec"],
  DaemonSet: ["spec", "template", "spec"],
  Job: ["spec", "template", "spec"],
  CronJob: ["spec", "jobTemplate", "spec", "template", "spec"],
  PodTemplate: ["template", "spec"],
};

const LISTS = ["initContainers", "containers", "ephemeralContainers"] as const;
const MAX_DEPTH = 4;

/** Images of every Pod and Pod template in a YAML or JSON text, in its order; each scalar once. */
export function findImagePlaces(text: string): ImagePlaces {
  const finder = new Finder(text);
  for (const document of finder.documents) finder.document(document);
  return finder;
}

/**
 * The text with some of its images replaced.
 *
 * @param replace the new image, or `undefined` to leave it
 */
export function replaceImages(
  text: string,
  places: readonly ImagePlace[],
  replace: (place: ImagePlace) => string | undefined,
): string {
  let changed = "";
  let at = 0;
  for (const place of places.toSorted((a, b) => a.start - b.start)) {
    const image = replace(place);
    if (image === undefined || image === place.image) continue;
    changed += text.slice(at, place.start) + quoteAs(text.slice(place.start, place.end), image);
    at = place.end;
  }
  return changed + text.slice(at);
}

/** In the quotes of what it replaces. An image needs none by itself: it holds no space and no quote. */
function quoteAs(before: string, image: string): string {
  const quote = before.startsWith('"') || before.startsWith("'") ? before.charAt(0) : "";
  return `${quote}${image}${quote}`;
}

class Finder implements ImagePlaces {
  readonly places: ImagePlace[] = [];
  readonly problems: UnreadablePlace[] = [];
  readonly documents: readonly Document.Parsed[];
  readonly #lines = new LineCounter();
  readonly #seen = new Set<number>();

  constructor(text: string) {
    const options = {
      lineCounter: this.#lines,
      uniqueKeys: false,
      prettyErrors: false,
      logLevel: "silent",
    } as const;
    const documents = parseAllDocuments(text, options);
    this.documents = "empty" in documents ? [] : documents;
  }

  document(document: Document.Parsed): void {
    const [fault] = document.errors;
    if (fault !== undefined) {
      // Templates of other tools are YAML only once they are filled in; the parser's words would quote the text.
      return this.#complain(fault.pos[0], "this document isn't YAML, so it stays as it is");
    }
    this.#object(document, document.contents, { path: "", depth: 0 });
  }

  #object(
    document: Document.Parsed,
    node: unknown,
    at: { readonly path: string; readonly depth: number },
  ): void {
    const object = resolve(document, node);
    const kind = textOf(document, object, ["kind"]);
    if (kind.endsWith("List") && at.depth < MAX_DEPTH) {
      for (const [index, item] of itemsOf(document, object, ["items"]).entries()) {
        this.#object(document, item, { path: `${at.path}items[${index}].`, depth: at.depth + 1 });
      }
      return;
    }
    const place = Object.hasOwn(POD_SPECS, kind) ? POD_SPECS[kind] : undefined;
    if (place === undefined) return;
    const namespace = textOf(document, object, ["metadata", "namespace"]);
    const name =
      textOf(document, object, ["metadata", "name"]) ||
      textOf(document, object, ["metadata", "generateName"]);
    const whose = { kind, name, ...(namespace !== "" && { namespace }) };
    const spec = `${at.path}${place.join(".")}`;
    for (const list of LISTS) {
      for (const [index, item] of itemsOf(document, object, [...place, list]).entries()) {
        this.#image(document, { owner: item, member: "image" }, `${spec}.${list}[${index}].image`, whose);
      }
    }
    for (const [index, item] of itemsOf(document, object, [...place, "volumes"]).entries()) {
      const owner = descend(document, item, ["image"]);
      const path = `${spec}.volumes[${index}].image.reference`;
      this.#image(document, { owner, member: "reference" }, path, whose);
    }
  }

  #image(
    document: Document.Parsed,
    { owner, member }: { readonly owner: unknown; readonly member: "image" | "reference" },
    path: string,
    whose: Pick<ImagePlace, "kind" | "name" | "namespace">,
  ): void {
    const scalar = descend(document, owner, [member]);
    if (!isScalar(scalar) || typeof scalar.value !== "string" || scalar.value === "") return;
    const { range } = scalar as Scalar.Parsed;
    const [start, end] = range;
    // One that an alias stands for is written once, and changed once.
    if (this.#seen.has(start)) return;
    this.#seen.add(start);
    if (scalar.type === "BLOCK_LITERAL" || scalar.type === "BLOCK_FOLDED") {
      return this.#complain(start, `${path} is a text of several lines: write it on one`);
    }
    const { line, col } = this.#lines.linePos(start);
    const policy = this.#policy(document, owner, member);
    this.places.push({ image: scalar.value, path, ...whose, line, column: col, start, end, policy });
  }

  #policy(document: Document.Parsed, owner: unknown, image: "image" | "reference"): PolicyPlace {
    const member = image === "image" ? "imagePullPolicy" : "pullPolicy";
    const map = resolve(document, owner);
    const scalar = descend(document, map, [member]) as Scalar.Parsed | undefined;
    const key = isMap(map)
      ? (map.items
          .map((pair) => pair.key)
          .find((one) => isScalar(one) && one.value === image) as Scalar.Parsed)
      : undefined;
    const [start, end] = scalar?.range ?? [];
    return {
      member,
      ...(start !== undefined && end !== undefined && { at: { start, end } }),
      flow: isMap(map) && map.flow === true,
      column: key === undefined ? 1 : this.#lines.linePos(key.range[0]).col,
      quoted: key?.type === "QUOTE_DOUBLE",
    };
  }

  #complain(offset: number, message: string): void {
    const { line, col } = this.#lines.linePos(offset);
    this.problems.push({ line, column: col, message });
  }
}

function resolve(document: Document.Parsed, node: unknown): Node | undefined {
  const target = isAlias(node) ? node.resolve(document) : node;
  return isMap(target) || isSeq(target) || isScalar(target) ? target : undefined;
}

function descend(document: Document.Parsed, node: unknown, path: readonly string[]): Node | undefined {
  let at = resolve(document, node);
  for (const name of path) at = isMap(at) ? resolve(document, at.get(name, true)) : undefined;
  return at;
}

function itemsOf(document: Document.Parsed, node: unknown, path: readonly string[]): readonly unknown[] {
  const list = descend(document, node, path);
  return isSeq(list) ? list.items : [];
}

function textOf(document: Document.Parsed, node: unknown, path: readonly string[]): string {
  const scalar = descend(document, node, path);
  return isScalar(scalar) && typeof scalar.value === "string" ? scalar.value : "";
}
