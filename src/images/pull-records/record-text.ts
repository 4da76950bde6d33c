/**
 * The texts of the record files, byte for byte the kubelet's, so that either can take over the other's folder.
 *
 * ```text
 * {"kind":"ImagePullIntent","apiVersion":"kubelet.config.k8s.io/v1beta1","image":"busybox"}
 * {"kind":"ImagePulledRecord","apiVersion":"kubelet.config.k8s.io/v1beta1","lastUpdatedTime":"2024-10-21T12:26:40Z",
 *  "imageRef":"sha256:…","credentialMapping":{"docker.io/library/busybox":{"nodePodsAccessible":true}}}
 * ```
 *
 * One line each, with a line feed at its end that readers don't insist on.
 */
import { ImagesError } from "../errors.ts";
import type {
  ImagePullCredentials,
  ImagePulledRecord,
  ImagePullIntent,
  ImagePullSecret,
  ImagePullServiceAccount,
} from "./record.ts";
import { type JsonObject, type JsonValue, parseStrictJson } from "./strict-json.ts";

export const CURRENT_VERSION = "kubelet.config.k8s.io/v1beta1";
const READABLE: readonly string[] = [CURRENT_VERSION, "kubelet.config.k8s.io/v1alpha1"];

/** A decoded file and the version it was written in. */
export interface Decoded<T> {
  readonly value: T;
  readonly apiVersion: string;
}

export function encodeIntent({ image }: ImagePullIntent): string {
  return encode({ kind: "ImagePullIntent", apiVersion: CURRENT_VERSION, image });
}

export function encodePulledRecord(record: ImagePulledRecord): string {
  const { lastUpdatedTime, imageRef, credentialMapping } = record;
  const names = [...credentialMapping].sort(([a], [b]) => (a < b ? -1 : 1));
  return encode({
    kind: "ImagePulledRecord",
    apiVersion: CURRENT_VERSION,
    lastUpdatedTime: lastUpdatedTime === undefined ? null : formatTime(lastUpdatedTime),
    imageRef,
    credentialMapping:
      names.length === 0
        ? undefined
        : new Members(names.map(([name, credentials]) => [name, shapeCredentials(credentials)])),
  });
}

/** @throws ImagesError `RECORD_UNREADABLE` */
export function decodeIntent(text: string): Decoded<ImagePullIntent> {
  const { reader, apiVersion } = open(text, "ImagePullIntent");
  const value = { image: reader.string("image") };
  reader.close();
  return { value, apiVersion };
}

/** @throws ImagesError `RECORD_UNREADABLE` */
export function decodePulledRecord(text: string): Decoded<ImagePulledRecord> {
  const { reader, apiVersion } = open(text, "ImagePulledRecord");
  const credentialMapping = new Map<string, ImagePullCredentials>();
  const mapping = reader.object("credentialMapping");
  for (const name of mapping?.names() ?? []) {
    const credentials = mapping?.object(name);
    credentialMapping.set(name, credentials === undefined ? {} : readCredentials(credentials));
  }
  const value = {
    lastUpdatedTime: parseTime(reader.string("lastUpdatedTime")),
    imageRef: reader.string("imageRef"),
    credentialMapping,
  };
  reader.close();
  return { value, apiVersion };
}

function open(text: string, kind: string): { readonly reader: Reader; readonly apiVersion: string } {
  let parsed;
  try {
    parsed = parseStrictJson(text);
  } catch (error) {
    throw unreadable(`couldn't get version/kind; json parse error: ${String(error)}`, error);
  }
  const twice = parsed.duplicates.map((path) => `duplicate field ${JSON.stringify(path)}`);
  const reader = new Reader(parsed.value, "", twice);
  const apiVersion = reader.string("apiVersion");
  const found = reader.string("kind");
  if (found === "") throw unreadable(`Object 'Kind' is missing in '${text}'`);
  if (!READABLE.includes(apiVersion)) {
    throw unreadable(`no kind "${found}" is registered for version "${apiVersion}"`);
  }
  if (found !== kind) throw unreadable(`the file holds a "${found}", not a "${kind}"`);
  return { reader, apiVersion };
}

function readCredentials(reader: Reader): ImagePullCredentials {
  const secrets = reader.objects("kubernetesSecrets").map((secret): ImagePullSecret => ({
    ...readCoordinates(secret),
    credentialHash: secret.string("credentialHash"),
  }));
  const accounts = reader.objects("kubernetesServiceAccounts").map(readCoordinates);
  return {
    ...(secrets.length > 0 && { kubernetesSecrets: secrets }),
    ...(accounts.length > 0 && { kubernetesServiceAccounts: accounts }),
    ...(reader.boolean("nodePodsAccessible") && { nodePodsAccessible: true }),
  };
}

function readCoordinates(reader: Reader): ImagePullServiceAccount {
  return {
    uid: reader.string("uid"),
    namespace: reader.string("namespace"),
    name: reader.string("name"),
  };
}

/** Takes the members of an object one by one, and complains of what was left. */
class Reader {
  readonly #members: JsonObject;
  readonly #path: string;
  readonly #faults: string[];
  readonly #taken = new Set<string>();
  readonly #inner: Reader[] = [];

  constructor(value: JsonValue, path: string, faults: string[]) {
    if (!(value instanceof Map))
      throw unreadable(`cannot read ${path === "" ? "the file" : path} as an object`);
    this.#members = value as JsonObject;
    this.#path = path;
    this.#faults = faults;
  }

  names(): Iterable<string> {
    return this.#members.keys();
  }

  string(name: string): string {
    const value = this.#take(name);
    if (value === undefined || value === null) return "";
    if (typeof value === "string") return value;
    throw this.#wrong(name, "string");
  }

  boolean(name: string): boolean {
    const value = this.#take(name);
    if (value === undefined || value === null) return false;
    if (typeof value === "boolean") return value;
    throw this.#wrong(name, "bool");
  }

  object(name: string): Reader | undefined {
    const value = this.#take(name);
    if (value === undefined || value === null) return undefined;
    return this.#descend(value, this.#pathOf(name));
  }

  objects(name: string): readonly Reader[] {
    const value = this.#take(name) ?? [];
    if (!Array.isArray(value)) throw this.#wrong(name, "list");
    return (value as readonly JsonValue[]).map((item, index) =>
      this.#descend(item, `${this.#pathOf(name)}[${index}]`),
    );
  }

  /** Only at the end are all members known that nobody took. */
  close(): void {
    this.#collect();
    if (this.#faults.length > 0) throw unreadable(`strict decoding error: ${this.#faults.join(", ")}`);
  }

  #collect(): void {
    for (const name of this.#members.keys()) {
      if (!this.#taken.has(name)) this.#faults.push(`unknown field ${JSON.stringify(this.#pathOf(name))}`);
    }
    for (const reader of this.#inner) reader.#collect();
  }

  #take(name: string): JsonValue | undefined {
    this.#taken.add(name);
    return this.#members.get(name);
  }

  #descend(value: JsonValue, path: string): Reader {
    const reader = new Reader(value, path, this.#faults);
    this.#inner.push(reader);
    return reader;
  }

  #pathOf(name: string): string {
    return this.#path === "" ? name : `${this.#path}.${name}`;
  }

  #wrong(name: string, type: string): ImagesError {
    return unreadable(`cannot read ${this.#pathOf(name)} as a ${type}`);
  }
}

/** Members in a given order; an object would put those that look like numbers first. */
class Members {
  readonly entries: readonly (readonly [string, unknown])[];

  constructor(entries: readonly (readonly [string, unknown])[]) {
    this.entries = entries;
  }
}

function shapeCredentials(credentials: ImagePullCredentials): unknown {
  const { kubernetesSecrets = [], kubernetesServiceAccounts = [], nodePodsAccessible } = credentials;
  return {
    kubernetesSecrets:
      kubernetesSecrets.length === 0
        ? undefined
        : kubernetesSecrets.map(({ uid, namespace, name, credentialHash }) => ({
            uid,
            namespace,
            name,
            credentialHash,
          })),
    kubernetesServiceAccounts:
      kubernetesServiceAccounts.length === 0
        ? undefined
        : kubernetesServiceAccounts.map(({ uid, namespace, name }) => ({ uid, namespace, name })),
    nodePodsAccessible: nodePodsAccessible === true ? true : undefined,
  };
}

function encode(value: unknown): string {
  return `${write(value)}\n`;
}

function write(value: unknown): string {
  if (value instanceof Members) {
    return `{${value.entries.map(([name, inner]) => `${writeString(name)}:${write(inner)}`).join(",")}}`;
  }
  if (Array.isArray(value)) return `[${value.map(write).join(",")}]`;
  if (typeof value === "string") return writeString(value);
  if (typeof value === "object" && value !== null) {
    const entries = Object.entries(value).filter(([, inner]) => inner !== undefined);
    return write(new Members(entries));
  }
  return JSON.stringify(value);
}

/** Go escapes for HTML what JSON need not, and says the replacement character for half a surrogate pair. */
function writeString(text: string): string {
  return JSON.stringify(text.toWellFormed()).replace(
    /[<>&\u2028\u2029]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

const RFC3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:[.,]\d+)?(?:Z|[+-]\d\d:\d\d)$/;
/** Go's zero time, written out. */
const ZERO_TIME = Date.parse("0001-01-01T00:00:00Z");

function formatTime(moment: number): string {
  return `${new Date(Math.floor(moment / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

function parseTime(text: string): number | undefined {
  if (text === "") return undefined;
  const moment = RFC3339.test(text) ? Date.parse(text.replace(",", ".")) : Number.NaN;
  if (Number.isNaN(moment)) throw unreadable(`parsing time ${JSON.stringify(text)} as RFC 3339`);
  return moment === ZERO_TIME ? undefined : moment;
}

function unreadable(message: string, cause?: unknown): ImagesError {
  return new ImagesError("RECORD_UNREADABLE", message, { cause });
}
