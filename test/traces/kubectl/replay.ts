/**
 * Asks our server what kubectl asked a real one, in the same order, and compares the answers. What the rest of the
 * cluster did between two questions is taken from the recording; see `lab.ts`.
 */
import type { ApiStorage } from "../../../src/apiserver/storage/storage.ts";
import { findResource } from "../../../src/kubernetes/index.ts";
import { compareDocument, type Documents } from "./documents.ts";
import { Identities } from "./identities.ts";
import { differences, type Json, type JsonObject, list, member } from "./json.ts";
import { objectsIn, objectsOf, VersionIndex } from "./known-objects.ts";
import { Lab } from "./lab.ts";
import { normalise } from "./normalise.ts";
import { parseTarget, type Target } from "./target.ts";
import { bytesOf, type CommandRecording, contentOf, type Exchange, printedBy } from "./recording.ts";
import { replayStream } from "./stream.ts";

export interface ApiUnderTest {
  /** Asks as the administrator. */
  fetch(request: Request): Promise<Response>;
  readonly storage: ApiStorage;
}

export interface CommandOutcome {
  readonly id: string;
  readonly exchanges: number;
  /** What could not be compared since the recording doesn't hold it, and why. */
  readonly uncovered: readonly string[];
  readonly differences: readonly string[];
}

export class CommandReplay {
  readonly #api: ApiUnderTest;
  readonly #documents: Documents;
  readonly #identities = new Identities();
  readonly #versions = new VersionIndex();
  readonly #lab: Lab;
  /** What kubectl would have kept beside each document. */
  readonly #etags = new Map<string, string>();

  constructor(api: ApiUnderTest, commands: readonly CommandRecording[], documents: Documents) {
    this.#api = api;
    this.#documents = documents;
    this.#lab = new Lab(api.storage, (object) => this.#identities.translateBody(object) as JsonObject);
    for (const command of commands) {
      for (const object of objectsIn(printedBy(command))) this.#versions.add(object);
      for (const exchange of command.exchanges) {
        for (const object of objectsOf(exchange)) this.#versions.add(object);
      }
    }
  }

  async replay(command: CommandRecording): Promise<CommandOutcome> {
    const uncovered: string[] = [];
    const found: string[] = [];
    for (const [index, exchange] of command.exchanges.entries()) {
      const where = `${index + 1}. ${exchange.method} ${exchange.path.slice(0, 120)}`;
      const outcome = await this.#exchange(asCommanded(exchange, command), (why) =>
        uncovered.push(`${where}: ${why}`),
      );
      found.push(...outcome.map((difference) => `${where}: ${difference}`));
    }
    return { id: command.id, exchanges: command.exchanges.length, uncovered, differences: found };
  }

  async #exchange(exchange: Exchange, skip: (why: string) => void): Promise<readonly string[]> {
    const target = parseTarget(exchange.path);
    await this.#prepare(exchange, target);
    const stream = exchange.stream;
    const controller = new AbortController();
    const response = await this.#api.fetch(this.#request(exchange, controller.signal));
    const found =
      response.status === exchange.status ? [] : [`status: ${exchange.status} ≠ ${response.status}`];
    if (stream !== undefined && response.status === 200) {
      const { lab, versions } = { lab: this.#lab, versions: this.#versions };
      found.push(
        ...(await replayStream(stream, response, { lab, versions, identities: this.#identities, skip })),
      );
      controller.abort();
      return found;
    }
    const etag = response.headers.get("etag");
    if (etag !== null) this.#etags.set(pathOf(exchange), etag);
    const text = await response.text();
    const document = exchange.responseBody?.document;
    if (document !== undefined) return [...found, ...compareDocument(this.#documents, document, text)];
    found.push(...this.#compareBody(exchange, text, skip));
    for (const object of objectsIn(contentOf(exchange.responseBody))) this.#lab.remember(object);
    return found;
  }

  #compareBody(exchange: Exchange, text: string, skip: (why: string) => void): readonly string[] {
    const body = exchange.responseBody;
    if (body === undefined || body === null)
      return text === "" ? [] : [`body: nothing ≠ ${text.slice(0, 200)}`];
    if (body.truncated === true) {
      skip("the recording holds the answer's beginning only");
      return [];
    }
    if (body.text !== undefined)
      return body.text === text ? [] : [`body: ${body.text} ≠ ${text.slice(0, 200)}`];
    const recorded = contentOf(body);
    const ours = parse(text);
    this.#identities.learn(recorded, ours);
    const shown = recorded?.["kind"] === "Table" ? this.#knownRows(recorded, ours, skip) : [recorded, ours];
    return differences(normalise(shown[0]), normalise(shown[1]));
  }

  /** What the others did before this question. */
  async #prepare(exchange: Exchange, target: Target): Promise<void> {
    const answer = contentOf(exchange.responseBody);
    const isRead = exchange.method === "GET";
    const isAbsent = exchange.status === 404 && target.name !== "" && target.subresource === "";
    if (isAbsent) return this.#forget(target);
    if (exchange.status >= 300 || answer === undefined) return;
    if (exchange.method === "DELETE") {
      for (const object of objectsIn(answer)) await this.#lab.bringTo(beforeDeletion(object));
    } else if (isRead && exchange.stream === undefined) {
      const objects = answer["kind"] === "Table" ? this.#rows(answer) : objectsIn(answer);
      for (const object of objects) await this.#lab.bringTo(object);
      if (target.name === "" && isComplete(exchange, target)) await this.#retain(target, answer);
    } else if (!isRead && target.subresource === "") {
      for (const object of objectsIn(answer)) await this.#lab.bringStatus(object);
    }
  }

  #rows(table: JsonObject): readonly JsonObject[] {
    return list(table["rows"]).flatMap((row) => {
      const found = this.#versions.find(member(row, "object", "metadata"));
      return found === undefined ? [] : [found];
    });
  }

  /** Of a table, the rows whose objects are recorded in full as well; nothing tells what the others consist of. */
  #knownRows(
    recorded: JsonObject,
    ours: Json | undefined,
    skip: (why: string) => void,
  ): readonly (Json | undefined)[] {
    const rows = list(recorded["rows"]);
    const known = rows.filter((row) => this.#versions.find(member(row, "object", "metadata")) !== undefined);
    if (known.length === rows.length) return [recorded, ours];
    const missing = rows.filter((row) => !known.includes(row)).map((row) => nameOf(row));
    skip(`the object behind a row is recorded nowhere in full: ${missing.join(", ")}`);
    const names = new Set(missing);
    const others = list(member(ours, "rows")).filter((row) => !names.has(nameOf(row)));
    return [
      { ...recorded, rows: known },
      { ...(ours as JsonObject), rows: others },
    ];
  }

  async #retain(target: Target, answer: JsonObject): Promise<void> {
    const metadata =
      answer["kind"] === "Table"
        ? list(answer["rows"]).map((row) => member(row, "object", "metadata"))
        : list(answer["items"]).map((item) => item["metadata"]);
    const names = new Set(metadata.map((one) => `${textOf(one, "namespace")}/${textOf(one, "name")}`));
    await this.#lab.retain(target.storageName, target.namespace || undefined, names);
  }

  async #forget(target: Target): Promise<void> {
    const resource = findResource({ ...target, version: "v1" });
    if (resource?.stored !== true) return;
    const apiVersion = target.group === "" ? "v1" : `${target.group}/v1`;
    const { namespace, name } = target;
    const metadata = { name, ...(namespace !== "" && { namespace }) };
    await this.#lab.remove({ apiVersion, kind: resource.kind, metadata });
  }

  #request(exchange: Exchange, signal: AbortSignal): Request {
    const headers = new Headers();
    for (const [name, value] of Object.entries(exchange.requestHeaders)) {
      if (!/^(?:accept-encoding|if-none-match)$/i.test(name)) headers.set(name, value);
    }
    const etag = this.#etags.get(pathOf(exchange));
    if (exchange.status === 304 && etag !== undefined) headers.set("If-None-Match", etag);
    if (exchange.accept !== undefined) headers.set("Accept", exchange.accept);
    const body = exchange.requestBody ?? undefined;
    const url = `https://server${this.#identities.translatePath(exchange.path)}`;
    if (body === undefined) return new Request(url, { method: exchange.method, headers, signal });
    const content =
      body.json === undefined ? bytesOf(body) : JSON.stringify(this.#identities.translateBody(body.json));
    return new Request(url, {
      method: exchange.method,
      headers,
      body: content as string | Uint8Array<ArrayBuffer>,
      signal,
    });
  }
}

/** Recordings leave out whom a command asked to be. */
function asCommanded(exchange: Exchange, { argv }: CommandRecording): Exchange {
  const user = argv.find((word) => word.startsWith("--as="))?.slice("--as=".length);
  if (user === undefined) return exchange;
  return { ...exchange, requestHeaders: { ...exchange.requestHeaders, "Impersonate-User": user } };
}

function pathOf(exchange: Exchange): string {
  return new URL(exchange.path, "http://server").pathname;
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

function nameOf(row: JsonObject): string {
  const metadata = member(row, "object", "metadata");
  return `${textOf(metadata, "namespace")}/${textOf(metadata, "name")}`;
}

function textOf(value: Json | undefined, name: string): string {
  const one = member(value, name);
  return typeof one === "string" ? one : "";
}

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
