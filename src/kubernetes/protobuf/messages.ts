/** The messages of Kubernetes' protobuf encoding by name, parsed when one is first asked for. */
import { PROTOBUF_TABLE } from "../generated/protobuf-table.ts";

export interface MessageField {
  /** As in JSON. */
  readonly name: string;
  /** `string`, `bytes`, `bool`, `int32`, `int64`, or a message's name; of a map, that of its values. */
  readonly type: string;
  readonly repeated: boolean;
  readonly isMap: boolean;
}

export type Message = ReadonlyMap<number, MessageField>;

type Row = readonly [number: number, name: string, type: string];

let table: Readonly<Record<string, readonly Row[]>> | undefined;
const known = new Map<string, Message>();

/** @param name such as `k8s.io.api.core.v1.Pod` */
export function findMessage(name: string): Message {
  const found = known.get(name);
  if (found !== undefined) return found;
  table ??= JSON.parse(PROTOBUF_TABLE) as Readonly<Record<string, readonly Row[]>>;
  const rows = table[name];
  if (rows === undefined) throw new Error(`no message called "${name}"`);
  const message = new Map(rows.map(([number, field, type]) => [number, fieldOf(field, type)]));
  known.set(name, message);
  return message;
}

const MAP = /^map<string,(.+)>$/;

function fieldOf(name: string, type: string): MessageField {
  const values = MAP.exec(type)?.[1];
  if (values !== undefined) return { name: jsonName(name), type: values, repeated: false, isMap: true };
  const repeated = type.endsWith("[]");
  return { name: jsonName(name), type: repeated ? type.slice(0, -2) : type, repeated, isMap: false };
}

/** One field is spelled differently here. */
function jsonName(name: string): string {
  return name === "uID" ? "uid" : name;
}
