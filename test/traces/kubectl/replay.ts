/**
 * Asks our server what kubectl asked a real one, in the same order, and compares the answers. What the rest of the
 * cluster did between two questions is taken from the recording; see `lab.ts`.
 */
import type { ApiStorage } from "../../../src/apiserver/storage/storage.ts";
import { compareDocument, type Documents } from "./documents.ts";
import { differences, type Json, type JsonObject, list, member } from "./json.ts";
import { objectsIn } from "./known-objects.ts";
import { normalise } from "./normalise.ts";
import { bytesOf, type CommandRecording, contentOf, type Exchange } from "./recording.ts";
import { replayStream } from "./stream.ts";
import { nameOf, Surroundings } from "./surroundings.ts";

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
  readonly #surroundings: Surroundings;
  /** What kubectl would have kept beside each document. */
  readonly #etags = new Map<string, string>();

  constructor(api: ApiUnderTest, commands: readonly CommandRecording[], documents: Documents) {
    this.#api = api;
    this.#documents = documents;
    this.#surroundings = new Surroundings(api.storage, commands);
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
    await this.#surroundings.prepare(exchange);
    const stream = exchange.stream;
    const controller = new AbortController();
    const response = await this.#api.fetch(this.#request(exchange, controller.signal));
    const found =
      response.status === exchange.status ? [] : [`status: ${exchange.status} ≠ ${response.status}`];
    if (stream !== undefined && response.status === 200) {
      found.push(...(await replayStream(stream, response, this.#surroundings, skip)));
      controller.abort();
      return found;
    }
    const etag = response.headers.get("etag");
    if (etag !== null) this.#etags.set(pathOf(exchange), etag);
    const text = await response.text();
    const document = exchange.responseBody?.document;
    if (document !== undefined) return [...found, ...compareDocument(this.#documents, document, text)];
    found.push(...this.#compareBody(exchange, text, skip));
    for (const object of objectsIn(contentOf(exchange.responseBody))) this.#surroundings.lab.remember(object);
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
    this.#surroundings.identities.learn(recorded, ours);
    const shown = recorded?.["kind"] === "Table" ? this.#knownRows(recorded, ours, skip) : [recorded, ours];
    return differences(normalise(shown[0]), normalise(shown[1]));
  }

  /** Of a table, the rows whose objects are recorded in full as well; nothing tells what the others consist of. */
  #knownRows(
    recorded: JsonObject,
    ours: Json | undefined,
    skip: (why: string) => void,
  ): readonly (Json | undefined)[] {
    const unknown = this.#surroundings.unknownRows(recorded);
    if (unknown.length === 0) return [recorded, ours];
    const known = list(recorded["rows"]).filter((row) => !unknown.includes(row));
    const missing = unknown.map((row) => nameOf(row));
    skip(`the object behind a row is recorded nowhere in full: ${missing.join(", ")}`);
    const names = new Set(missing);
    const others = list(member(ours, "rows")).filter((row) => !names.has(nameOf(row)));
    return [
      { ...recorded, rows: known },
      { ...(ours as JsonObject), rows: others },
    ];
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
    const url = `https://server${this.#surroundings.identities.translatePath(exchange.path)}`;
    if (body === undefined) return new Request(url, { method: exchange.method, headers, signal });
    const content =
      body.json === undefined
        ? bytesOf(body)
        : JSON.stringify(this.#surroundings.identities.translateBody(body.json));
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

function parse(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return text;
  }
}
