import type { DocumentReader, Place } from "./document-reader.ts";
import type { ObjectMetadata } from "./pod.ts";

const DNS_LABEL = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;
const DNS_SUBDOMAIN = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/;

/** Text longer than this is no name of anything; it is cut in messages and refused as a value. */
const MAX_TEXT = 4096;

/** Remembers whether anything was wrong, so that an object is read to its end before it is given up. */
export class ObjectReader {
  readonly reader: DocumentReader;
  failed = false;

  constructor(reader: DocumentReader) {
    this.reader = reader;
  }

  fail(place: Place, message: string): void {
    this.failed = true;
    this.reader.complain(place, `${place.path}: ${message}`);
  }

  text(place: Place): string | undefined {
    if (this.reader.isAbsent(place)) return undefined;
    const text = this.reader.text(place);
    if (text === undefined) this.failed = true;
    else if (text.length > MAX_TEXT)
      this.fail(place, `Too long: may not be more than ${MAX_TEXT} characters`);
    return text;
  }

  requiredText(place: Place): string | undefined {
    if (this.reader.isAbsent(place)) this.fail(place, "Required value");
    const text = this.text(place);
    if (text === "") this.fail(place, "Required value");
    return text;
  }

  texts(place: Place): Record<string, string> {
    const texts: [string, string][] = [];
    for (const [name, value] of this.reader.map(place) ?? []) texts.push([name, this.text(value) ?? ""]);
    // fromEntries defines own properties: a key "__proto__" stays a key.
    return Object.fromEntries(texts);
  }

  /** What every object in a namespace has; `undefined` when it has no name that counts. */
  metadata(root: Place): ObjectMetadata | undefined {
    const metadata = this.reader.member(root, "metadata");
    const name = this.name(metadata);
    const namespace = this.text(this.reader.member(metadata, "namespace")) || "default";
    if (!isLabel(namespace)) {
      const message = `Invalid value: ${quote(namespace)}: use lower-case letters, digits and "-"`;
      this.fail(this.reader.member(metadata, "namespace"), message);
    }
    const uid = this.text(this.reader.member(metadata, "uid"));
    const annotations = this.texts(this.reader.member(metadata, "annotations"));
    return name === undefined ? undefined : { name, namespace, annotations, ...(uid && { uid }) };
  }

  name(metadata: Place): string | undefined {
    const place = this.reader.member(metadata, "name");
    const name = this.requiredText(place);
    if (name !== undefined && (!DNS_SUBDOMAIN.test(name) || name.length > 253)) {
      this.fail(place, `Invalid value: ${quote(name)}: use lower-case letters, digits, "-" and "."`);
    }
    return name;
  }

  /** The names of a list of references: `[{name: a}, {name: b}]`. */
  names(list: Place): readonly string[] {
    return this.reader.list(list).flatMap((place) => this.text(this.reader.member(place, "name")) ?? []);
  }
}

export function isLabel(text: string): boolean {
  return DNS_LABEL.test(text);
}

export function quote(text: string): string {
  return JSON.stringify(text.length <= 120 ? text : `${text.slice(0, 117)}...`);
}
