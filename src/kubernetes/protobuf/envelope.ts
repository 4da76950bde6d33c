/**
 * `application/vnd.kubernetes.protobuf`: what kubectl sends for `create`.
 *
 *     6b 38 73 00   "k8s" and a zero byte
 *     Unknown       apiVersion, kind, and the bytes of a message of that kind
 */
import { GoError } from "../../internal/go/errors.ts";
import type { TypeMeta } from "../../internal/kubernetes/object-decoder.ts";
import type { Members } from "../schema/canonical.ts";
import type { Schema } from "../schema/schema.ts";
import { readStruct } from "./read-message.ts";
import { BYTES, textOf, WireReader } from "./wire.ts";

const PREFIX = Buffer.from("k8s\0", "latin1");

export interface Envelope {
  readonly meta: TypeMeta;
  readonly raw: Uint8Array;
}

/** @throws GoError */
export function openEnvelope(body: Uint8Array): Envelope {
  if (body.length === 0) throw new GoError("empty data");
  if (!PREFIX.equals(body.subarray(0, PREFIX.length))) {
    const bytes = [...PREFIX].join(" ");
    throw new GoError(`provided data does not appear to be a protobuf message, expected prefix [${bytes}]`);
  }
  if (body.length === PREFIX.length) throw new GoError("empty body");
  const parts = fields(body.subarray(PREFIX.length), "Unknown");
  const meta = fields(parts.get(1) ?? new Uint8Array(), "TypeMeta");
  const apiVersion = textOf(meta.get(1) ?? new Uint8Array());
  if (apiVersion.split("/").length > 2) throw new GoError(`unexpected GroupVersion string: ${apiVersion}`);
  return {
    meta: { apiVersion, kind: textOf(meta.get(2) ?? new Uint8Array()) },
    raw: parts.get(2) ?? new Uint8Array(),
  };
}

/** @throws GoError */
export function readMessage(raw: Uint8Array, message: string, schema: Schema): Members {
  return readStruct(raw, message, schema);
}

/** The envelope's own messages hold nothing but texts and bytes. */
function fields(bytes: Uint8Array, message: string): ReadonlyMap<number, Uint8Array> {
  const found = new Map<number, Uint8Array>();
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const { number, type } = reader.tag(message);
    if (type === BYTES) found.set(number, reader.bytes());
    else reader.skip(type);
  }
  return found;
}
