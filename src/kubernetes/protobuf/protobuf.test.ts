import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { describe, it } from "node:test";

import fc from "fast-check";

import type { Json, KubernetesObject } from "../objects/object.ts";
import { API_RESOURCES } from "../objects/resources.ts";
import { StatusError } from "../objects/status.ts";
import { decodeObject } from "../schema/decode-object.ts";
import { type Field, findSchema, type Schema } from "../schema/schema.ts";
import { type DecodeTarget, findTarget } from "../schema/targets.ts";
import { findMessage } from "./messages.ts";
import { encodeBody, encodeMessage } from "./testing.ts";

const PROTOBUF = "application/vnd.kubernetes.protobuf";

interface RecordedBody {
  readonly name: string;
  readonly base64: string;
  readonly decoded: KubernetesObject;
}

function recorded<T>(file: string): readonly T[] {
  const url = new URL(`../../../test/kubernetes/${file}`, import.meta.url);
  return (JSON.parse(readFileSync(url, "utf8")) as { readonly cases: readonly T[] }).cases;
}

function target({ apiVersion, kind }: { readonly apiVersion: string; readonly kind: string }): DecodeTarget {
  const [group = "", version = "v1"] = apiVersion.includes("/") ? apiVersion.split("/") : ["", apiVersion];
  const found = findTarget({ group, version, kind });
  assert.ok(found);
  return found;
}

function decode(body: Uint8Array, resource: DecodeTarget, contentType: string = PROTOBUF): KubernetesObject {
  return decodeObject(body, { contentType, resource, fieldValidation: "Strict" }).object;
}

describe("protobuf bodies", () => {
  for (const { name, base64, decoded } of recorded<RecordedBody>("protobuf.json")) {
    it(`are what was recorded: ${name}`, () => {
      const object = decode(Buffer.from(base64, "base64"), target(decoded));
      const { managedFields: _, ...metadata } = object.metadata;
      assert.deepEqual({ ...object, metadata }, withoutNullLists(decoded));
    });
  }

  it("become what the same object's JSON becomes", () => {
    for (const object of recorded<KubernetesObject>("objects.json")) {
      const resource = target(object);
      assert.deepEqual(decode(encodeBody(object, resource.message), resource), object);
    }
  });

  it("become what the same object's JSON becomes, whatever it holds", () => {
    for (const resource of API_RESOURCES.filter(({ stored }) => stored)) {
      const schema = findSchema(resource.schema) as Schema;
      const apiVersion = resource.group === "" ? "v1" : `${resource.group}/v1`;
      const objects = valueOf(schema).map((value) => ({
        ...(value as object),
        apiVersion,
        kind: resource.kind,
      }));
      fc.assert(
        fc.property(objects, fc.boolean(), (object, packed) => {
          const json = decode(Buffer.from(JSON.stringify(object)), resource, "application/json");
          const given = json as unknown as Record<string, Json>;
          assert.deepEqual(decode(Buffer.from(JSON.stringify(json)), resource, "application/json"), json);
          assert.deepEqual(decode(encodeBody(given, resource.message, packed), resource), json);
        }),
        { numRuns: 20 },
      );
    }
  });

  it("have a message for every struct of every kind, with a field for each that JSON has", () => {
    const seen = new Set<string>();
    const walk = (schema: Schema): void => {
      if (schema.items !== undefined) walk(schema.items);
      if (schema.kind !== "struct" || seen.has(schema.name)) return;
      seen.add(schema.name);
      const names = namesOf(schema.name.replace(/^io\.k8s/, "k8s.io"));
      for (const field of schema.fields.values()) {
        const isMeta = field.name === "kind" || field.name === "apiVersion";
        assert.ok(names.has(field.name) || isMeta, `${schema.name}.${field.name}`);
        walk(field.schema);
      }
    };
    for (const { schema } of API_RESOURCES) walk(findSchema(schema) as Schema);
    assert.ok(seen.size > 150);
  });
});

describe("hostile protobuf bodies", () => {
  const secret = findTarget({ group: "", version: "v1", kind: "Secret" }) as DecodeTarget;
  const good = encodeBody(
    {
      apiVersion: "v1",
      kind: "Secret",
      metadata: { name: "s", labels: { a: "b" } },
      data: { k: "aGVsbG8=" },
    },
    secret.message,
  );
  const inside = (hex: string): Buffer => {
    const raw = Buffer.from(hex, "hex");
    return Buffer.concat([Buffer.from("k8s\0"), Buffer.from([0x12, raw.length]), raw]);
  };

  function refusal(body: Uint8Array): string {
    try {
      decode(body, secret);
    } catch (error) {
      assert.ok(error instanceof StatusError, String(error));
      assert.equal(error.code, "BadRequest");
      return error.message;
    }
    return "";
  }

  const table: readonly (readonly [body: Buffer, message: RegExp])[] = [
    [
      Buffer.alloc(0),
      /^the object provided is unrecognized \(must be of type Secret\): empty data \(<empty>\)$/,
    ],
    [Buffer.from("{}"), /expected prefix \[107 56 115 0\] \({}\)$/],
    [Buffer.from("k8s\0"), /: empty body \(6b387300\)$/],
    [inside("0a"), /^Secret in version "v1" cannot be handled as a Secret: unexpected EOF$/],
    [inside("0affffffff07"), /unexpected EOF$/],
    [inside("0affffffffffffffffff01"), /negative length found during unmarshaling$/],
    [inside("0affffffffffffffffffff01"), /integer overflow$/],
    [inside("00"), /proto: Secret: illegal tag 0 \(wire type 0\)$/],
    [inside("0c"), /wiretype end group for non-group$/],
    [inside("0801"), /wrong wireType = 0 for field Metadata$/],
    [inside("1a02c328"), /invalid UTF-8$/],
    [inside(`${"f301".repeat(60)}`), /nested too deeply|unexpected EOF$/],
  ];
  for (const [body, message] of table) {
    it(`are refused: ${body.toString("hex").slice(0, 40)}`, () => assert.match(refusal(body), message));
  }

  it("are refused wherever they end too early", () => {
    for (let end = 0; end < good.length; end++) refusal(good.subarray(0, end));
    assert.equal(refusal(good), "");
  });

  it("never do more than be refused", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(good.length), (noise, at) => {
        refusal(Buffer.concat([good.subarray(0, at), noise, good.subarray(at)]));
        refusal(Buffer.concat([Buffer.from("k8s\0"), noise]));
      }),
      { numRuns: 300 },
    );
  });

  it("pass over fields that nobody knows, groups among them", () => {
    // A number, a text, a group that holds a number, and eight and four bytes, all as field 100.
    const unknown = Buffer.from("a00601a2060161a306a00605a406a1060102030405060708a50601020304", "hex");
    const raw = Buffer.concat([unknown, encodeMessage({ type: "Opaque" }, secret.message)]);
    assert.equal(decode(inside(raw.toString("hex")), secret).type, "Opaque");
  });

  it("are not slowed down by lists and maps that come in pieces", () => {
    const data = Object.fromEntries(Array.from({ length: 50_000 }, (_, index) => [`k${index}`, ""]));
    const finalizers = Array.from({ length: 50_000 }, (_, index) => `f${index}`);
    const body = encodeBody(
      { apiVersion: "v1", kind: "Secret", metadata: { finalizers }, data },
      secret.message,
    );
    const before = process.cpuUsage();
    assert.equal(Object.keys(decode(body, secret).data as object).length, 50_000);
    // What it costs, not how long it takes: the processors may have others to serve.
    const { user, system } = process.cpuUsage(before);
    assert.ok(user + system < 2_000_000, `${user + system} µs`);
  });
});

/** Lists that Go writes as `null` for want of an `omitempty` are left out here, so that nobody trips over them. */
function withoutNullLists(object: KubernetesObject): KubernetesObject {
  if (object.kind !== "SelfSubjectRulesReview") return object;
  const status = Object.entries(object.status as Record<string, Json>).filter(([, value]) => value !== null);
  return { ...object, status: Object.fromEntries(status) };
}

/** JSON names of a message's fields, those of the structs it embeds included. */
function namesOf(message: string): ReadonlySet<string> {
  const names = new Set<string>();
  for (const { name, type } of findMessage(message).values()) {
    names.add(name);
    if (/^(?:ephemeralContainerCommon|handler|localObjectReference|volumeSource)$/.test(name)) {
      for (const inner of namesOf(type)) names.add(inner);
    }
  }
  return names;
}

/** Some value of a type; the deeper, the emptier. */
function valueOf(schema: Schema, depth: number = 0): fc.Arbitrary<Json> {
  switch (schema.kind) {
    case "struct": {
      const fields = [...schema.fields.values()].filter(
        ({ name }) => name !== "kind" && name !== "apiVersion",
      );
      const some = depth > 4 ? [] : fields;
      const rare = (field: Field): fc.Arbitrary<Json | undefined> =>
        fc.option(
          fc.constant(0).chain(() => valueOf(field.schema, depth + 1)),
          { nil: undefined, freq: 1 },
        );
      return fc
        .tuple(...some.map((field) => rare(field).map((value) => [field.name, value] as const)))
        .map((entries) => Object.fromEntries(entries.filter(([, value]) => value !== undefined)) as Json);
    }
    case "list":
      return fc.array(valueOf(schema.items as Schema, depth + 1), { maxLength: 2 });
    case "map":
      return fc.dictionary(fc.string({ maxLength: 5 }), valueOf(schema.items as Schema, depth + 1), {
        maxKeys: 2,
      });
    case "string":
      return fc.string({ unit: "grapheme", maxLength: 8 });
    case "bytes":
      return fc.uint8Array({ maxLength: 8 }).map((bytes) => Buffer.from(bytes).toString("base64"));
    case "integer":
      return schema.format === "int32" ? fc.integer() : fc.maxSafeInteger();
    case "boolean":
      return fc.boolean();
    case "quantity":
      return fc.tuple(fc.nat(5000), fc.constantFrom("", "m", "Ki", "Gi", "M")).map((parts) => parts.join(""));
    case "time":
      return fc
        .integer({ min: -1e9, max: 4e9 })
        .map((seconds) => new Date(seconds * 1000).toISOString())
        .map((text) => (schema.format === "micro" ? text.replace(".000Z", ".000123Z") : text));
    case "intOrString":
      return fc.oneof(fc.integer(), fc.string({ maxLength: 5 }));
    case "raw":
      return fc.constant({ "f:metadata": { "f:labels": {} } });
  }
}
