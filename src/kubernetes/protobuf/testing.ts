/** Objects as protobuf, for tests: dray itself only reads it. */
import type { Json } from "../objects/object.ts";
import { findMessage, type MessageField } from "./messages.ts";

type Members = Readonly<Record<string, Json | undefined>>;

/** @param packed whether numbers of a list come many at once */
export function encodeBody(object: Members, message: string, packed: boolean = false): Buffer {
  const meta = Buffer.concat([text(1, object.apiVersion as string), text(2, object.kind as string)]);
  const raw = encodeMessage(object, message, packed);
  return Buffer.concat([Buffer.from("k8s\0"), bytes(1, meta), bytes(2, raw)]);
}

export function encodeMessage(members: Members, message: string, packed: boolean = false): Buffer {
  const parts: Buffer[] = [];
  for (const [number, field] of findMessage(message)) {
    const value = members[field.name];
    // A struct that the message has and JSON hasn't holds fields of ours.
    if (value === undefined && EMBEDDED.has(field.name)) {
      const isOurs = [...findMessage(field.type).values()].some(({ name }) => members[name] !== undefined);
      if (isOurs) parts.push(bytes(number, encodeMessage(members, field.type, packed)));
    } else if (value !== undefined && value !== null) {
      parts.push(...encodeField(number, { field, value, packed }));
    }
  }
  return Buffer.concat(parts);
}

const EMBEDDED: ReadonlySet<string> = new Set([
  "ephemeralContainerCommon",
  "handler",
  "localObjectReference",
  "volumeSource",
]);

interface Given {
  readonly field: MessageField;
  readonly value: Json;
  readonly packed: boolean;
}

function encodeField(number: number, { field, value, packed }: Given): readonly Buffer[] {
  if (field.isMap) {
    return Object.entries(value as Members).map(([key, item]) => {
      const entry = [text(1, key), ...encodeValue(2, { type: field.type, value: item as Json, packed })];
      return bytes(number, Buffer.concat(entry));
    });
  }
  if (!field.repeated) return encodeValue(number, { type: field.type, value, packed });
  const items = value as readonly Json[];
  if (packed && /^(?:int|bool)/.test(field.type)) {
    const values = items.map((item) => varint(BigInt(Number(item))));
    return [bytes(number, Buffer.concat(values))];
  }
  return items.flatMap((item) => encodeValue(number, { type: field.type, value: item, packed }));
}

function encodeValue(
  number: number,
  { type, value, packed }: { readonly type: string; readonly value: Json; readonly packed: boolean },
): readonly Buffer[] {
  switch (type) {
    case "string":
      return [text(number, value as string)];
    case "bytes":
      return [bytes(number, Buffer.from(value as string, "base64"))];
    case "bool":
    case "int32":
    case "int64":
      return [tag(number, 0), varint(BigInt(Number(value)))];
    default:
      return [bytes(number, encodeNested(type, value, packed))];
  }
}

function encodeNested(type: string, value: Json, packed: boolean): Buffer {
  switch (type.slice(type.lastIndexOf(".") + 1)) {
    case "Quantity":
      return text(1, value as string);
    case "Time":
    case "MicroTime": {
      const [seconds = "", fraction = "0"] = (value as string).replace("Z", "").split(".");
      const nanos = BigInt(fraction.padEnd(9, "0"));
      const whole = BigInt(Date.parse(`${seconds}Z`) / 1000);
      return Buffer.concat([tag(1, 0), varint(whole), tag(2, 0), varint(nanos)]);
    }
    case "IntOrString":
      return typeof value === "number"
        ? Buffer.concat([tag(1, 0), varint(0n), tag(2, 0), varint(BigInt(value))])
        : Buffer.concat([tag(1, 0), varint(1n), text(3, value as string)]);
    case "FieldsV1":
      return text(1, JSON.stringify(value));
    case "ExtraValue":
      return Buffer.concat((value as readonly string[]).map((item) => text(1, item)));
    default:
      return encodeMessage(value as Members, type, packed);
  }
}

function text(number: number, value: string): Buffer {
  return bytes(number, Buffer.from(value));
}

function bytes(number: number, value: Buffer): Buffer {
  return Buffer.concat([tag(number, 2), varint(BigInt(value.length)), value]);
}

function tag(number: number, type: number): Buffer {
  return varint(BigInt((number << 3) | type));
}

function varint(value: bigint): Buffer {
  const encoded: number[] = [];
  let rest = BigInt.asUintN(64, value);
  while (rest > 127n) {
    encoded.push(Number(rest & 127n) | 128);
    rest >>= 7n;
  }
  encoded.push(Number(rest));
  return Buffer.from(encoded);
}
