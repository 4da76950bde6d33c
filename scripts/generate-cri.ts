/**
 * Writes the typed messages and services that `src/cri/generated` holds:
 *
 *     node scripts/generate-cri.ts CRI.json CONTAINERD.json
 *
 * Both files have `source`, `messages` (full name to `[number, name, type, oneof or "optional"]`), `enums` (full name to
 * value by name) and `services` (full name to its calls). What is dray's own is added here. Descriptors are made of
 * them, and handed to protoc-gen-es as protoc would.
 */
import { spawnSync } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

import { create, fromBinary, toBinary } from "@bufbuild/protobuf";
import {
  CodeGeneratorRequestSchema,
  CodeGeneratorResponseSchema,
  type DescriptorProto,
  DescriptorProtoSchema,
  EnumDescriptorProtoSchema,
  FieldDescriptorProto_Label as Label,
  FieldDescriptorProto_Type as Type,
  FieldDescriptorProtoSchema,
  type FileDescriptorProto,
  FileDescriptorProtoSchema,
  file_google_protobuf_any,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_timestamp,
  OneofDescriptorProtoSchema,
  ServiceDescriptorProtoSchema,
} from "@bufbuild/protobuf/wkt";

type Field = readonly [number: number, name: string, type: string, group?: string];

interface Call {
  readonly request: string;
  readonly requestStream: boolean;
  readonly response: string;
  readonly responseStream: boolean;
}

interface Table {
  readonly messages: Readonly<Record<string, readonly Field[]>>;
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly services: Readonly<Record<string, Readonly<Record<string, Call>>>>;
}

/** The pulls of a running service, for who watches it. */
const OWN: Table = {
  messages: {
    "dray.cri.v1.WatchPullsRequest": [[1, "follow", "bool"]],
    "dray.cri.v1.WatchPullsResponse": [[1, "pull", "Pull"]],
    "dray.cri.v1.Content": [
      [1, "digest", "string"],
      [2, "media_type", "string"],
      [3, "size", "uint64"],
      [4, "bytes", "uint64"],
      [5, "phase", "string"],
    ],
    "dray.cri.v1.Pull": [
      [1, "id", "uint64"],
      [2, "image", "string"],
      [3, "pod_uid", "string"],
      [4, "phase", "string"],
      [5, "bytes", "uint64"],
      [6, "total", "uint64"],
      [7, "contents", "Content[]"],
      [8, "rate", "double", "optional"],
      [9, "milliseconds_left", "double", "optional"],
    ],
    "google.rpc.Status": [
      [1, "code", "int32"],
      [2, "message", "string"],
      [3, "details", "google.protobuf.Any[]"],
    ],
  },
  enums: {},
  services: {
    "dray.cri.v1.Pulls": {
      Watch: {
        request: "WatchPullsRequest",
        requestStream: false,
        response: "WatchPullsResponse",
        responseStream: true,
      },
    },
  },
};

const WELL_KNOWN = [
  file_google_protobuf_any,
  file_google_protobuf_empty,
  file_google_protobuf_field_mask,
  file_google_protobuf_timestamp,
];

const SCALARS: Readonly<Record<string, Type>> = {
  string: Type.STRING,
  bytes: Type.BYTES,
  bool: Type.BOOL,
  int32: Type.INT32,
  int64: Type.INT64,
  uint32: Type.UINT32,
  uint64: Type.UINT64,
  double: Type.DOUBLE,
};

const root = fileURLToPath(new URL("..", import.meta.url));
const target = join(root, "src", "cri", "generated");

function main(paths: readonly string[]): void {
  if (paths.length !== 2) {
    console.error("Usage: node scripts/generate-cri.ts CRI.json CONTAINERD.json");
    process.exitCode = 2;
    return;
  }
  const tables = [...paths.map((path) => JSON.parse(readFileSync(path, "utf8")) as Table), OWN];
  const table: Table = {
    messages: Object.assign({}, ...tables.map(({ messages }) => messages)) as Table["messages"],
    enums: Object.assign({}, ...tables.map(({ enums }) => enums)) as Table["enums"],
    services: Object.assign({}, ...tables.map(({ services }) => services)) as Table["services"],
  };
  const files = new Descriptors(table).makeFiles();
  const wellKnown = WELL_KNOWN.map(({ proto }) => proto);
  const request = create(CodeGeneratorRequestSchema, {
    fileToGenerate: files.map(({ name }) => name),
    parameter: "target=ts,import_extension=ts,erasable_syntax=true",
    protoFile: [...wellKnown, ...files],
  });
  const plugin = join(root, "node_modules", ".bin", "protoc-gen-es");
  const ran = spawnSync(process.execPath, [plugin], {
    input: toBinary(CodeGeneratorRequestSchema, request),
    maxBuffer: 1 << 26,
  });
  if (ran.status !== 0) throw new Error(`protoc-gen-es failed: ${ran.stderr.toString()}`);
  const { error, file } = fromBinary(CodeGeneratorResponseSchema, ran.stdout);
  if (error !== "") throw new Error(`protoc-gen-es failed: ${error}`);
  rmSync(target, { recursive: true, force: true });
  for (const { name, content } of file) {
    mkdirSync(dirname(join(target, name)), { recursive: true });
    writeFileSync(join(target, name), content);
  }
  console.log(`${file.length} files written`);
}

class Descriptors {
  readonly #table: Table;
  /** Full names, and whether each is an enum. */
  readonly #types = new Map<string, { readonly file: string; readonly isEnum: boolean }>();

  constructor(table: Table) {
    this.#table = table;
    for (const name of Object.keys(table.messages)) this.#add(name, false);
    for (const name of Object.keys(table.enums)) this.#add(name, true);
    for (const { proto } of WELL_KNOWN) {
      for (const { name } of proto.messageType) {
        this.#types.set(`${proto.package}.${name}`, { file: proto.name, isEnum: false });
      }
    }
  }

  #add(name: string, isEnum: boolean): void {
    this.#types.set(name, { file: fileOf(packageOf(name)), isEnum });
  }

  /** One file for each package, those that others need first. */
  makeFiles(): readonly FileDescriptorProto[] {
    const { messages, enums, services } = this.#table;
    const names = [...Object.keys(messages), ...Object.keys(enums), ...Object.keys(services)];
    const packages = [...new Set(names.map(packageOf))];
    const files = new Map(packages.map((name) => [fileOf(name), this.#makeFile(name)]));
    const sorted: FileDescriptorProto[] = [];
    const visit = (file: FileDescriptorProto): void => {
      if (sorted.includes(file)) return;
      for (const needed of file.dependency) {
        const other = files.get(needed);
        if (other !== undefined) visit(other);
      }
      sorted.push(file);
    };
    for (const file of files.values()) visit(file);
    return sorted;
  }

  #makeFile(name: string): FileDescriptorProto {
    const file = create(FileDescriptorProtoSchema, { name: fileOf(name), package: name, syntax: "proto3" });
    const needed = new Set<string>();
    const { messages, enums, services } = this.#table;
    const made = new Map<string, DescriptorProto>();
    const within = (full: string): boolean => packageOf(full) === name;
    for (const full of Object.keys(messages).filter(within)) {
      made.set(full, this.#makeMessage(full, needed));
    }
    for (const [full, message] of made)
      (made.get(parentOf(full))?.nestedType ?? file.messageType).push(message);
    for (const full of Object.keys(enums).filter(within)) {
      const value = Object.entries(enums[full] ?? {}).map(([key, number]) => ({ name: key, number }));
      const proto = create(EnumDescriptorProtoSchema, { name: lastOf(full), value });
      (made.get(parentOf(full))?.enumType ?? file.enumType).push(proto);
    }
    for (const full of Object.keys(services).filter(within)) {
      const method = Object.entries(services[full] ?? {}).map(([key, call]) => ({
        name: key,
        inputType: this.#resolve(call.request, full, needed).name,
        outputType: this.#resolve(call.response, full, needed).name,
        clientStreaming: call.requestStream,
        serverStreaming: call.responseStream,
      }));
      file.service.push(create(ServiceDescriptorProtoSchema, { name: lastOf(full), method }));
    }
    needed.delete(file.name);
    file.dependency = [...needed].toSorted();
    return file;
  }

  #makeMessage(full: string, needed: Set<string>): DescriptorProto {
    const message = create(DescriptorProtoSchema, { name: lastOf(full) });
    for (const [number, name, type, group] of this.#table.messages[full] ?? []) {
      const jsonName = name.replaceAll(/_(.)/g, (_, letter: string) => letter.toUpperCase());
      const field = create(FieldDescriptorProtoSchema, { name, jsonName, number, label: Label.OPTIONAL });
      const map = /^map<(\w+), ?(.+)>$/.exec(type);
      if (map !== null) {
        const entry = `${camel(name)}Entry`;
        const inner = create(DescriptorProtoSchema, { name: entry, options: { mapEntry: true } });
        for (const [index, part] of [map[1] ?? "", map[2] ?? ""].entries()) {
          const member = create(FieldDescriptorProtoSchema, {
            name: index === 0 ? "key" : "value",
            jsonName: index === 0 ? "key" : "value",
            number: index + 1,
            label: Label.OPTIONAL,
          });
          this.#setType(member, part, { full, needed });
          inner.field.push(member);
        }
        message.nestedType.push(inner);
        field.type = Type.MESSAGE;
        field.typeName = `.${full}.${entry}`;
        field.label = Label.REPEATED;
      } else if (type.endsWith("[]")) {
        this.#setType(field, type.slice(0, -2), { full, needed });
        field.label = Label.REPEATED;
      } else {
        this.#setType(field, type, { full, needed });
      }
      if (group === "optional") {
        field.proto3Optional = true;
        field.oneofIndex = message.oneofDecl.length;
        message.oneofDecl.push(create(OneofDescriptorProtoSchema, { name: `_${name}` }));
      } else if (group !== undefined) {
        throw new Error(`${full}.${name}: groups of fields aren't known here`);
      }
      message.field.push(field);
    }
    return message;
  }

  #setType(
    field: { type: Type; typeName: string },
    text: string,
    { full, needed }: { readonly full: string; readonly needed: Set<string> },
  ): void {
    const scalar = SCALARS[text];
    if (scalar !== undefined) {
      field.type = scalar;
      return;
    }
    const { name, isEnum } = this.#resolve(text, full, needed);
    field.type = isEnum ? Type.ENUM : Type.MESSAGE;
    field.typeName = name;
  }

  /** As protobuf looks names up: in the innermost scope first. */
  #resolve(
    text: string,
    scope: string,
    needed: Set<string>,
  ): { readonly name: string; readonly isEnum: boolean } {
    for (let around = scope; ; around = parentOf(around)) {
      const full = around === "" ? text : `${around}.${text}`;
      const type = this.#types.get(full);
      if (type !== undefined) {
        needed.add(type.file);
        return { name: `.${full}`, isEnum: type.isEnum };
      }
      if (around === "") throw new Error(`Unknown type ${text} in ${scope}`);
    }
  }
}

/** Packages are lower case; messages, and what is nested in them, aren't. */
function packageOf(full: string): string {
  const parts = full.split(".");
  const first = parts.findIndex((part) => /^[A-Z]/.test(part));
  return parts.slice(0, first).join(".");
}

/** `containerd.services.content.v1` in `containerd/content_v1.proto`. */
function fileOf(name: string): string {
  const [first = "", ...rest] = name.split(".").filter((part) => part !== "services");
  return `${first}${rest.length === 0 ? "" : "/"}${rest.join("_")}.proto`;
}

function parentOf(full: string): string {
  return full.slice(0, Math.max(0, full.lastIndexOf(".")));
}

function lastOf(full: string): string {
  return full.slice(full.lastIndexOf(".") + 1);
}

function camel(name: string): string {
  return name.replaceAll(/(?:^|_)([a-zA-Z0-9])/g, (_, letter: string) => letter.toUpperCase());
}

main(process.argv.slice(2));
