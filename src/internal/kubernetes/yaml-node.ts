/** YAML as Kubernetes reads it: as JSON, by the rules of YAML 1.1 that its parser knows, members sorted. */
import type { Alias, Document, LineCounter, Node, Scalar, YAMLMap } from "yaml";
import { GoError } from "../go/errors.ts";
import type { JsonNode } from "../go/json-parse.ts";
import { compareBytes } from "../go/utf8.ts";
import { yaml } from "../yaml.ts";
import { explainYaml } from "./yaml-error.ts";

/** Nodes, each counted as often as an alias repeats it. */
const NODE_LIMIT = 200_000;

/** The first document, and what a strict reader says of keys that stand there twice; the later ones win. */
export function parseYaml(text: string): {
  readonly node: JsonNode;
  readonly strictError: string | undefined;
} {
  const lines = new (yaml().LineCounter)();
  const [document] = Array.from<Document.Parsed>(
    yaml().parseAllDocuments(text, {
      schema: "failsafe",
      version: "1.1",
      uniqueKeys: false,
      lineCounter: lines,
      logLevel: "silent",
    }),
  );
  if (document === undefined) return { node: { kind: "null" }, strictError: undefined };
  const { errors } = document;
  if (errors.length > 0) throw new GoError(explainYaml({ text, errors, lines }));
  const reader = new Reader(lines);
  const node = reader.read(document.contents);
  const { duplicates } = reader;
  const strictError =
    duplicates.length === 0 ? undefined : `yaml: unmarshal errors:\n  ${duplicates.join("\n  ")}`;
  return { node, strictError };
}

class Reader {
  readonly duplicates: string[] = [];
  readonly #lines: LineCounter;
  /** Undefined while the node itself is being read. */
  readonly #anchors = new Map<string, Node | undefined>();
  #nodes = 0;

  constructor(lines: LineCounter) {
    this.#lines = lines;
  }

  read(node: unknown): JsonNode {
    if (++this.#nodes > NODE_LIMIT) throw new GoError("yaml: document contains excessive aliasing");
    if (yaml().isAlias(node)) return this.read(this.#resolve(node));
    const anchor = yaml().isNode(node) ? node.anchor : undefined;
    if (anchor === undefined) return this.#content(node);
    this.#anchors.set(anchor, undefined);
    const content = this.#content(node);
    this.#anchors.set(anchor, node as Node);
    return content;
  }

  #content(node: unknown): JsonNode {
    if (yaml().isMap(node)) return this.#map(node);
    if (yaml().isSeq(node)) return { kind: "array", items: node.items.map((item) => this.read(item)) };
    return yaml().isScalar(node) ? scalar(node) : { kind: "null" };
  }

  #map(map: YAMLMap): JsonNode {
    const members = new Map<string, JsonNode>();
    const merged: JsonNode[] = [];
    for (const { key, value } of map.items) {
      const named = this.read(key);
      if (yaml().isScalar(key) && key.type === "PLAIN" && key.value === "<<") {
        merged.push(this.read(value));
        continue;
      }
      const name = named.kind === "string" ? named.value : named.kind === "number" ? named.text : undefined;
      const known = name ?? (named.kind === "bool" ? String(named.value) : undefined);
      if (known === undefined) throw new GoError("yaml: unsupported map key");
      if (members.has(known)) {
        const at = (value as Node | null)?.range?.[0] ?? (key as Node).range?.[0] ?? 0;
        const shown = named.kind === "string" ? JSON.stringify(known) : known;
        this.duplicates.push(`line ${this.#lines.linePos(at).line}: key ${shown} already set in map`);
      }
      members.set(known, this.read(value));
    }
    for (const node of merged) merge(members, node);
    return { kind: "object", members: [...members].toSorted(([a], [b]) => compareBytes(a, b)) };
  }

  #resolve({ source }: Alias): Node {
    const node = this.#anchors.get(source);
    if (node !== undefined) return node;
    const open = this.#anchors.has(source);
    throw new GoError(
      open ? `yaml: anchor '${source}' value contains itself` : `yaml: unknown anchor '${source}' referenced`,
    );
  }
}

/** Members that stand in the map itself go before merged ones, and of these the first. */
function merge(members: Map<string, JsonNode>, node: JsonNode): void {
  if (node.kind === "array") {
    for (const item of node.items) merge(members, item);
    return;
  }
  if (node.kind !== "object")
    throw new GoError("yaml: map merge requires map or sequence of maps as the value");
  for (const [name, value] of node.members) if (!members.has(name)) members.set(name, value);
}

const NULL = /^(?:~|null|Null|NULL|)$/;
const TRUE = /^(?:[yY]|yes|Yes|YES|true|True|TRUE|on|On|ON)$/;
const FALSE = /^(?:[nN]|no|No|NO|false|False|FALSE|off|Off|OFF)$/;
const INTEGER = /^([+-]?)(0x[0-9a-f]+|0b[01]+|0o?[0-7]+|0|[1-9]\d*)$/i;
const FLOAT = /^[-+]?(?:\.\d+|\d+(?:\.\d*)?)(?:[eE][-+]?\d+)?$/;

/** Only a plain scalar can be anything but a text. */
function scalar(node: Scalar): JsonNode {
  const text = node.value as string;
  if (node.type !== "PLAIN" || node.tag === "tag:yaml.org,2002:str") return { kind: "string", value: text };
  if (NULL.test(text)) return { kind: "null" };
  if (TRUE.test(text)) return { kind: "bool", value: true };
  if (FALSE.test(text)) return { kind: "bool", value: false };
  const digits = text.replaceAll("_", "");
  const [, sign = "", integer] = INTEGER.exec(digits) ?? [];
  if (integer !== undefined) {
    const octal = /^0[0-7]+$/.test(integer) ? `0o${integer.slice(1)}` : integer;
    const value = BigInt(octal);
    return { kind: "number", text: (sign === "-" ? -value : value).toString() };
  }
  return FLOAT.test(digits)
    ? { kind: "number", text: String(Number(digits)) }
    : { kind: "string", value: text };
}
