import { type Document, LineCounter, type Node, type YAMLError, parseAllDocuments } from "yaml";

import { DocumentReader, type ManifestProblem, type Place } from "./document-reader.ts";
import type { JsonObject } from "./objects/object.ts";
import type { OtherObject, Pod } from "./pod.ts";
import { readPod } from "./read-pod.ts";
import { readNamespace, readSecret, readServiceAccount } from "./read-secret.ts";
import type { NamespaceObject, SecretObject, ServiceAccountObject } from "./secret.ts";

/** An object and the place it was read from. */
export interface Located<T> {
  readonly object: T;
  readonly file: string;
  /** Counted from 1. */
  readonly document: number;
  /** Where the object begins, counted from 1. */
  readonly line: number;
  /** The whole object as it is written; of Pods alone. */
  readonly manifest?: JsonObject;
}

export interface Manifests {
  readonly pods: readonly Located<Pod>[];
  readonly namespaces: readonly Located<NamespaceObject>[];
  readonly secrets: readonly Located<SecretObject>[];
  readonly serviceAccounts: readonly Located<ServiceAccountObject>[];
  readonly others: readonly Located<OtherObject>[];
  /** With `unread`: all objects but Secrets. */
  readonly objects: readonly Located<JsonObject>[];
  /** In the file's order. A broken object is left out; the others stand. */
  readonly problems: readonly ManifestProblem[];
}

export interface ReadManifestsOptions {
  /** What messages call the file. */
  readonly file: string;
  /** Characters; 4 Mi by default. */
  readonly maxLength?: number;
  /** Objects, those inside Lists included; 10,000 by default. */
  readonly maxObjects?: number;
  /** Take objects other than Secrets as they are written, whatever they hold; only for whoever judges them himself. */
  readonly unread?: boolean;
}

const MAX_LENGTH = 4 * 1024 * 1024;
const MAX_OBJECTS = 10_000;
const MAX_LIST_DEPTH = 4;
const MAX_PROBLEMS = 100;

/** `v1 PodList` and its like; `v1 List` takes objects of any kind. */
const LISTS: ReadonlySet<string> = new Set(
  ["Pod", "Secret", "ServiceAccount", "Namespace"].map((kind) => `v1 ${kind}List`),
);

/** Where objects keep their Pod template. */
const TEMPLATES: Readonly<Record<string, readonly string[]>> = {
  Deployment: ["spec", "template"],
  ReplicaSet: ["spec", "template"],
  ReplicationController: ["spec", "template"],
  StatefulSet: ["spec", "template"],
  DaemonSet: ["spec", "template"],
  Job: ["spec", "template"],
  CronJob: ["spec", "jobTemplate", "spec", "template"],
  PodTemplate: ["template"],
};

/**
 * Reads every object of a YAML or JSON text: several documents, Lists within. It never throws: what is wrong comes
 * back as problems, each with its place, beside everything that was right.
 */
export function readManifests(text: string, options: ReadManifestsOptions): Manifests {
  const reading = new Reading(options);
  const limit = options.maxLength ?? MAX_LENGTH;
  if (text.length > limit) {
    reading.complain(1, `the file is too long: ${text.length} characters, and at most ${limit} are read`);
    return reading;
  }
  const lines = new LineCounter();
  let documents: readonly Document.Parsed[];
  try {
    documents = parse(text, lines);
  } catch (error) {
    // Thousands of brackets inside each other exhaust the parser's stack.
    if (!(error instanceof RangeError)) throw error;
    reading.complain(1, "values are nested too deeply");
    return reading;
  }
  for (const [index, document] of documents.entries()) reading.document(document, index + 1, lines);
  return reading;
}

/** `web.yaml, document 2, line 7, column 12: …`. */
export function formatProblem(problem: ManifestProblem): string {
  const document = problem.document > 1 ? `, document ${problem.document}` : "";
  const line = problem.line === undefined ? "" : `, line ${problem.line}, column ${problem.column ?? 1}`;
  return `${problem.file}${document}${line}: ${problem.message}`;
}

function parse(text: string, lineCounter: LineCounter): readonly Document.Parsed[] {
  // uniqueKeys compares every key with every other; the reader finds duplicates in the maps that matter.
  const options = {
    lineCounter,
    uniqueKeys: false,
    prettyErrors: false,
    merge: false,
    logLevel: "silent",
  } as const;
  const documents = parseAllDocuments(isJson(text) ? withoutTabs(text) : text, options);
  return "empty" in documents ? [] : documents;
}

/** JSON is YAML, except that YAML doesn't let tabs indent. In JSON a tab never stands inside a string. */
function withoutTabs(text: string): string {
  return text.replaceAll("\t", " ");
}

function isJson(text: string): boolean {
  if (!/^\s*[{[]/.test(text) || !text.includes("\t")) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

class Reading implements Manifests {
  readonly pods: Located<Pod>[] = [];
  readonly namespaces: Located<NamespaceObject>[] = [];
  readonly secrets: Located<SecretObject>[] = [];
  readonly serviceAccounts: Located<ServiceAccountObject>[] = [];
  readonly others: Located<OtherObject>[] = [];
  readonly objects: Located<JsonObject>[] = [];
  readonly problems: ManifestProblem[] = [];
  readonly #file: string;
  readonly #maxObjects: number;
  readonly #unread: boolean;
  #objects = 0;

  constructor(options: ReadManifestsOptions) {
    this.#file = options.file;
    this.#maxObjects = options.maxObjects ?? MAX_OBJECTS;
    this.#unread = options.unread ?? false;
  }

  complain(
    document: number,
    message: string,
    position?: { readonly line: number; readonly col: number },
  ): void {
    if (this.problems.length >= MAX_PROBLEMS) return;
    const place = position === undefined ? {} : { line: position.line, column: position.col };
    this.problems.push({ file: this.#file, document, message, ...place });
  }

  document(document: Document.Parsed, number: number, lines: LineCounter): void {
    const fault = document.errors[0];
    if (fault !== undefined) {
      this.complain(number, sentence(fault), lines.linePos(fault.pos[0]));
      return;
    }
    const lineOf = (node: Node | null | undefined): { line: number; col: number } =>
      lines.linePos(node?.range?.[0] ?? 0);
    const reader = new DocumentReader({
      document,
      problem: (message, node) =>
        this.complain(number, message, node === undefined ? undefined : lineOf(node)),
    });
    const root = reader.root(document);
    if (reader.isAbsent(root)) return;
    this.#object(reader, root, {
      number,
      depth: 0,
      line: (place) => lineOf(place.node ?? place.parent).line,
    });
  }

  #object(reader: DocumentReader, place: Place, at: ObjectContext): void {
    if (++this.#objects > this.#maxObjects) {
      if (this.#objects === this.#maxObjects + 1) {
        reader.complain(place, `the file holds more than ${this.#maxObjects} objects; the rest is left out`);
      }
      return;
    }
    if (reader.map(place) === undefined) return;
    const kindPlace = reader.member(place, "kind");
    const kind = reader.text(kindPlace);
    if (kind === undefined || kind === "") {
      if (reader.isAbsent(kindPlace))
        reader.complain(place, `${prefix(place)}kind: Required value: this is no Kubernetes object`);
      return;
    }
    const apiVersion = reader.text(reader.member(place, "apiVersion")) ?? "";
    if (apiVersion === "") {
      reader.complain(
        place,
        `${prefix(place)}apiVersion: Required value: ${kind === "Pod" ? 'a Pod has "v1"' : "every object has one"}`,
      );
      return;
    }
    const located = { file: this.#file, document: at.number, line: at.line(place) };
    const isSecret = apiVersion === "v1" && kind === "Secret";
    if (kind === "List" || LISTS.has(`${apiVersion} ${kind}`) || (this.#unread && kind.endsWith("List"))) {
      if (at.depth >= MAX_LIST_DEPTH) {
        reader.complain(place, "Lists are nested too deeply");
        return;
      }
      const items = reader.list(reader.member(place, "items"));
      for (const item of items) {
        if (this.#objects > this.#maxObjects) return;
        this.#object(reader, item, { ...at, depth: at.depth + 1 });
      }
    } else if (this.#unread && !isSecret) {
      const object = reader.toJson(place);
      if (object === undefined) reader.complain(place, "the object unfolds into too much");
      else this.objects.push({ object: object as JsonObject, ...located });
    } else if (apiVersion === "v1" && this.#readKnown(kind, { reader, place, located })) {
      return;
    } else {
      this.others.push({ object: readOther(reader, place, { kind, apiVersion }), ...located });
    }
  }

  #keepPod(reader: DocumentReader, place: Place, located: Where): true {
    const object = readPod(reader, place);
    const manifest = object === undefined ? undefined : reader.toJson(place);
    if (object !== undefined) {
      this.pods.push({
        object,
        ...located,
        ...(manifest !== undefined && { manifest: manifest as JsonObject }),
      });
    }
    return true;
  }

  /** Whether it is of a kind that somebody here uses. */
  #readKnown(
    kind: string,
    at: { readonly reader: DocumentReader; readonly place: Place; readonly located: Where },
  ): boolean {
    const { reader, place, located } = at;
    const keep = <T>(list: Located<T>[], object: T | undefined): true => {
      if (object !== undefined) list.push({ object, ...located });
      return true;
    };
    switch (kind) {
      case "Pod":
        return this.#keepPod(reader, place, located);
      case "Namespace":
        return keep(this.namespaces, readNamespace(reader, place));
      case "Secret":
        return keep(this.secrets, readSecret(reader, place));
      case "ServiceAccount":
        return keep(this.serviceAccounts, readServiceAccount(reader, place));
      default:
        return false;
    }
  }
}

type Where = Omit<Located<unknown>, "object" | "manifest">;

interface ObjectContext {
  readonly number: number;
  readonly depth: number;
  readonly line: (place: Place) => number;
}

function readOther(
  reader: DocumentReader,
  place: Place,
  { kind, apiVersion }: { readonly kind: string; readonly apiVersion: string },
): OtherObject {
  const metadata = reader.member(place, "metadata");
  const template = Object.hasOwn(TEMPLATES, kind) ? TEMPLATES[kind] : undefined;
  const images: string[] = [];
  if (template !== undefined) {
    const spec = [...template, "spec"].reduce((at, name) => reader.member(at, name), place);
    for (const list of ["initContainers", "containers"]) {
      for (const container of reader.list(reader.member(spec, list))) {
        const image = reader.text(reader.member(container, "image"));
        if (image !== undefined) images.push(image);
      }
    }
  }
  const name = reader.text(reader.member(metadata, "name")) ?? "";
  const namespace = reader.text(reader.member(metadata, "namespace")) ?? "default";
  return { kind, apiVersion, name, namespace, images };
}

function prefix(place: Place): string {
  return place.path === "" ? "" : `${place.path}.`;
}

/** The parser's own words, on one line, without its full stop, and without the text it stumbled over: a secret? */
function sentence(fault: YAMLError): string {
  return `not valid YAML: ${fault.message
    .replace(/: ".*$/s, "")
    .replace(/\s+/g, " ")
    .replace(/[.:]+$/, "")}`;
}
