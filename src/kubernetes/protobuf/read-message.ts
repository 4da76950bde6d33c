/** A message into what the same object's JSON would have become. */
import { GoError } from "../../internal/go/errors.ts";
import type { Json } from "../objects/object.ts";
import { complete, type Members, putField, setMember, zeroOf } from "../schema/canonical.ts";
import { canonicalQuantity } from "../schema/quantity.ts";
import type { Field, Schema } from "../schema/schema.ts";
import { timeFromSeconds } from "../schema/time.ts";
import { findMessage, type MessageField } from "./messages.ts";
import { BYTES, textOf, VARINT, WireReader } from "./wire.ts";

/** No type holds itself, so a message can't be deeper than its types are; this is for those that would. */
const MAX_DEPTH = 64;

/**
 * Fields that nobody knows are passed over, as protobuf wants it.
 *
 * @throws GoError for bytes that are no such message
 */
export function readStruct(bytes: Uint8Array, message: string, schema: Schema): Members {
  const members: Members = {};
  readInto(members, { bytes, message, schema, depth: 0 });
  return complete(members, schema);
}

interface Source {
  readonly bytes: Uint8Array;
  readonly message: string;
  readonly schema: Schema;
  readonly depth: number;
}

function readInto(members: Members, source: Source): void {
  const { message, schema, depth } = source;
  if (depth > MAX_DEPTH) throw new GoError("proto: messages are nested too deeply");
  const fields = findMessage(message);
  const name = message.slice(message.lastIndexOf(".") + 1);
  const reader = new WireReader(source.bytes);
  while (!reader.done) {
    const { number, type } = reader.tag(name);
    const known = fields.get(number);
    if (known === undefined) {
      reader.skip(type);
      continue;
    }
    expectType(type, known);
    const field = schema.fields.get(known.name);
    if (field !== undefined) {
      putField(
        members,
        field,
        readField(reader, { known, field, type, depth, previous: members[field.name] }),
      );
    } else if (isMessage(known.type)) {
      // A struct that Go's types embed: its fields are ours in JSON.
      readInto(members, { bytes: reader.bytes(), message: known.type, schema, depth: depth + 1 });
    } else reader.skip(type);
  }
}

interface Slot {
  readonly known: MessageField;
  readonly field: Field;
  readonly type: number;
  readonly depth: number;
  readonly previous: Json | undefined;
}

function readField(reader: WireReader, slot: Slot): Json | undefined {
  const { known, field, type, depth, previous } = slot;
  const { schema } = field;
  if (known.isMap) return readEntry(reader.bytes(), slot);
  if (!known.repeated) return readValue(reader, { message: known.type, schema, depth, previous });
  const items = schema.items as Schema;
  // The list is ours and grows in place: a copy for each element would let a small body cost hours.
  const list = (previous ?? []) as Json[];
  // Numbers may come many at once.
  const packed = type === BYTES && isNumber(known.type);
  const source = packed ? new WireReader(reader.bytes()) : reader;
  do {
    if (packed && source.done) break;
    list.push(readValue(source, { message: known.type, schema: items, depth }) ?? zeroOf(items));
  } while (packed);
  return list;
}

interface Expected {
  /** A message's name, or that of a plain type. */
  readonly message: string;
  readonly schema: Schema;
  readonly depth: number;
  readonly previous?: Json | undefined;
}

/** @returns undefined for Go's zero time */
function readValue(reader: WireReader, expected: Expected): Json | undefined {
  switch (expected.message) {
    case "string":
      return textOf(reader.bytes());
    case "bytes":
      return Buffer.from(reader.bytes()).toString("base64");
    case "bool":
      return reader.varint() !== 0n;
    case "int32":
      return Number(BigInt.asIntN(32, reader.varint()));
    case "int64":
      return Number(BigInt.asIntN(64, reader.varint()));
    default:
      return readNested(reader.bytes(), expected);
  }
}

function readNested(bytes: Uint8Array, expected: Expected): Json | undefined {
  const { message, schema, depth } = expected;
  switch (schema.kind) {
    case "struct": {
      // One that comes in parts is put together.
      const members = (expected.previous ?? {}) as Members;
      readInto(members, { bytes, message, schema, depth: depth + 1 });
      return complete(members, schema);
    }
    case "quantity":
      return canonicalQuantity(plain(bytes, message).string ?? "");
    case "time": {
      const { seconds, nanos } = plain(bytes, message);
      if (seconds === undefined && nanos === undefined) return undefined;
      const precision = schema.format === "micro" ? "micro" : "seconds";
      return timeFromSeconds(BigInt(seconds ?? 0), Number(nanos ?? 0), precision);
    }
    case "intOrString": {
      const { type, intVal, strVal } = plain(bytes, message);
      return Number(type ?? 0) === 0 ? Number(intVal ?? 0) : (strVal ?? "");
    }
    case "raw":
      return parseRaw(plain(bytes, message).Raw);
    case "list":
      return plainList(bytes, message);
    case "map":
    case "string":
    case "bytes":
    case "integer":
    case "boolean":
      break;
  }
  throw new Error(`"${message}" can't be what ${schema.goType} is`);
}

/** The fields of a message that stands for something simpler than a struct. */
function plain(bytes: Uint8Array, message: string): Readonly<Record<string, string | undefined>> {
  const values: Record<string, string> = {};
  eachPlain(bytes, message, (name, value) => {
    values[name] = value;
  });
  return values;
}

function plainList(bytes: Uint8Array, message: string): readonly Json[] {
  const list: Json[] = [];
  eachPlain(bytes, message, (_, value) => list.push(value));
  return list;
}

function eachPlain(bytes: Uint8Array, message: string, take: (name: string, value: string) => void): void {
  const reader = new WireReader(bytes);
  const fields = findMessage(message);
  while (!reader.done) {
    const { number, type } = reader.tag(message.slice(message.lastIndexOf(".") + 1));
    const known = fields.get(number);
    if (known === undefined) {
      reader.skip(type);
      continue;
    }
    expectType(type, known);
    if (known.type === "string" || known.type === "bytes") take(known.name, textOf(reader.bytes()));
    else take(known.name, BigInt.asIntN(64, reader.varint()).toString());
  }
}

/** One pair of a map: its key is field 1, its value field 2. */
function readEntry(bytes: Uint8Array, slot: Slot): Json {
  const { known, field, depth, previous } = slot;
  const items = field.schema.items as Schema;
  const reader = new WireReader(bytes);
  let key = "";
  let value: Json | undefined;
  while (!reader.done) {
    const { number, type } = reader.tag("entry");
    if (number === 1 && type === BYTES) key = textOf(reader.bytes());
    else if (number === 2 && type === BYTES) {
      value = readValue(reader, { message: known.type, schema: items, depth });
    } else reader.skip(type);
  }
  const members = (previous ?? {}) as Members;
  setMember(members, key, value ?? zeroOf(items));
  return members;
}

function parseRaw(text: string | undefined): Json | undefined {
  if (text === undefined || text === "") return undefined;
  try {
    return JSON.parse(text) as Json;
  } catch {
    throw new GoError("proto: raw JSON is invalid");
  }
}

function expectType(type: number, known: MessageField): void {
  const wanted = isNumber(known.type) ? VARINT : BYTES;
  if (type === wanted || (known.repeated && type === BYTES)) return;
  const name = known.name.charAt(0).toUpperCase() + known.name.slice(1);
  throw new GoError(`proto: wrong wireType = ${type} for field ${name}`);
}

function isNumber(type: string): boolean {
  return type === "int32" || type === "int64" || type === "bool";
}

function isMessage(type: string): boolean {
  return type.includes(".");
}
