import { decodeBase64 } from "../internal/go/base64.ts";
import { GoError } from "../internal/go/errors.ts";
import type { DocumentReader, Place } from "./document-reader.ts";
import { ObjectReader } from "./object-reader.ts";
import type { NamespaceObject, SecretObject, ServiceAccountObject } from "./secret.ts";

/** Of all values together, decoded; etcd takes no more. */
const MAX_SECRET = 1024 * 1024;

/** Reads a Secret. What a key holds is for those who use it; no complaint quotes a value. */
export function readSecret(reader: DocumentReader, root: Place): SecretObject | undefined {
  const context = new ObjectReader(reader);
  const metadata = context.metadata(root);
  const type = context.text(reader.member(root, "type")) || "Opaque";
  const data = new Map<string, Uint8Array>();
  for (const [key, place] of reader.map(reader.member(root, "data")) ?? []) {
    data.set(key, decode(context, place));
  }
  for (const [key, place] of reader.map(reader.member(root, "stringData")) ?? []) {
    // What is given as text replaces what is given as base64.
    data.set(key, Buffer.from(readHidden(context, place), "utf8"));
  }
  const size = [...data.values()].reduce((sum, bytes) => sum + bytes.length, 0);
  if (size > MAX_SECRET) {
    context.fail(reader.member(root, "data"), `Too long: may not be more than ${MAX_SECRET} bytes`);
  }
  if (context.failed || metadata === undefined) return undefined;
  return { kind: "Secret", metadata, type, data: Object.fromEntries(data) };
}

export function readServiceAccount(reader: DocumentReader, root: Place): ServiceAccountObject | undefined {
  const context = new ObjectReader(reader);
  const metadata = context.metadata(root);
  const imagePullSecrets = context.names(reader.member(root, "imagePullSecrets"));
  if (context.failed || metadata === undefined) return undefined;
  return { kind: "ServiceAccount", metadata, imagePullSecrets };
}

export function readNamespace(reader: DocumentReader, root: Place): NamespaceObject | undefined {
  const context = new ObjectReader(reader);
  const name = context.name(reader.member(root, "metadata"));
  return context.failed || name === undefined ? undefined : { kind: "Namespace", name };
}

function decode(context: ObjectReader, place: Place): Uint8Array {
  try {
    return decodeBase64(readHidden(context, place), { padded: true });
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    context.fail(place, `Invalid value: ${error.message}; give plain text under stringData`);
    return new Uint8Array();
  }
}

function readHidden(context: ObjectReader, place: Place): string {
  const text = context.reader.hiddenText(place);
  if (text === undefined && !context.reader.isAbsent(place)) context.failed = true;
  return text ?? "";
}
