/** What the rest of the cluster did around a conversation, as its recording shows it, done to our server. */
import type { ApiStorage } from "../../../src/apiserver/storage/storage.ts";
import { findResource } from "../../../src/kubernetes/index.ts";
import { Identities } from "./identities.ts";
import { type Json, type JsonObject, list, member } from "./json.ts";
import { objectsIn, objectsOf, VersionIndex } from "./known-objects.ts";
import { Lab } from "./lab.ts";
import { type CommandRecording, contentOf, type Exchange, printedBy } from "./recording.ts";
import { parseTarget, type Target } from "./target.ts";

export class Surroundings {
  readonly identities: Identities = new Identities();
  readonly versions: VersionIndex = new VersionIndex();
  readonly lab: Lab;

  constructor(storage: ApiStorage, commands: readonly CommandRecording[]) {
    this.lab = new Lab(storage, (object) => this.identities.translateBody(object) as JsonObject);
    for (const command of commands) {
      for (const object of objectsIn(printedBy(command))) this.versions.add(object);
      for (const exchange of command.exchanges) {
        for (const object of objectsOf(exchange)) this.versions.add(object);
      }
    }
  }

  /** What the others did before this question. */
  async prepare(exchange: Exchange): Promise<void> {
    const target = parseTarget(exchange.path);
    const answer = contentOf(exchange.responseBody);
    const isRead = exchange.method === "GET";
    const isAbsent = exchange.status === 404 && target.name !== "" && target.subresource === "";
    if (isAbsent) return this.#forget(target);
    if (exchange.status >= 300 || answer === undefined) return;
    if (exchange.method === "DELETE") {
      for (const object of objectsIn(answer)) await this.lab.bringTo(beforeDeletion(object));
    } else if (isRead && exchange.stream === undefined) {
      const objects = answer["kind"] === "Table" ? this.#rows(answer) : objectsIn(answer);
      for (const object of objects) await this.lab.bringTo(object);
      if (target.name === "" && isComplete(exchange, target)) await this.#retain(target, answer);
    } else if (!isRead && target.subresource === "") {
      for (const object of objectsIn(answer)) await this.lab.bringStatus(object);
    }
  }

  /** Rows of a recorded table whose objects are recorded nowhere in full: nothing tells what they consist of. */
  unknownRows(table: JsonObject): readonly JsonObject[] {
    return list(table["rows"]).filter((row) => this.#objectOf(row) === undefined);
  }

  #rows(table: JsonObject): readonly JsonObject[] {
    return list(table["rows"])
      .map((row) => this.#objectOf(row))
      .filter((object) => object !== undefined);
  }

  #objectOf(row: JsonObject): JsonObject | undefined {
    return this.versions.find(member(row, "object", "metadata"));
  }

  async #retain(target: Target, answer: JsonObject): Promise<void> {
    const metadata =
      answer["kind"] === "Table"
        ? list(answer["rows"]).map((row) => member(row, "object", "metadata"))
        : list(answer["items"]).map((item) => item["metadata"]);
    const names = new Set(metadata.map((one) => `${textOf(one, "namespace")}/${textOf(one, "name")}`));
    await this.lab.retain(target.storageName, target.namespace || undefined, names);
  }

  async #forget(target: Target): Promise<void> {
    const resource = findResource({ ...target, version: "v1" });
    if (resource?.stored !== true) return;
    const apiVersion = target.group === "" ? "v1" : `${target.group}/v1`;
    const { namespace, name } = target;
    const metadata = { name, ...(namespace !== "" && { namespace }) };
    await this.lab.remove({ apiVersion, kind: resource.kind, metadata });
  }
}

/** A list that shows all there is of a kind in its place. */
function isComplete(exchange: Exchange, target: Target): boolean {
  const query = new URL(exchange.path, "http://server").searchParams;
  const isWhole = !query.has("fieldSelector") && !query.has("labelSelector");
  const rest = member(contentOf(exchange.responseBody), "metadata", "continue");
  return isWhole && target.resource !== "namespaces" && (rest === undefined || rest === "");
}

/** A deletion's answer, without what the deletion itself did to the object. */
function beforeDeletion(object: JsonObject): JsonObject {
  const {
    deletionTimestamp,
    deletionGracePeriodSeconds: _,
    generation,
    ...metadata
  } = object["metadata"] as JsonObject;
  if (deletionTimestamp === undefined) return object;
  const before = typeof generation === "number" ? { generation: generation - 1 } : {};
  return { ...object, metadata: { ...metadata, ...before } };
}

export function nameOf(row: JsonObject): string {
  const metadata = member(row, "object", "metadata");
  return `${textOf(metadata, "namespace")}/${textOf(metadata, "name")}`;
}

function textOf(value: Json | undefined, name: string): string {
  const one = member(value, name);
  return typeof one === "string" ? one : "";
}
