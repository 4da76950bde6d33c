/** Replays a watch: what others did comes from the recorded events, and our server has to tell of it the same way. */
import { differences, type JsonObject, list, member } from "./json.ts";
import type { Lab } from "./lab.ts";
import { normalise } from "./normalise.ts";
import type { StreamItem } from "./recording.ts";
import type { Surroundings } from "./surroundings.ts";

/** How long our server may take to tell of one change. */
const PATIENCE = 3_000;

export async function replayStream(
  stream: readonly StreamItem[],
  response: Response,
  { lab, versions, identities }: Surroundings,
  skip: (why: string) => void,
): Promise<readonly string[]> {
  const events = new EventReader(response);
  const found: string[] = [];
  let isInitial = stream.some(({ event }) => isInitialEnd(event.object));
  for (const [index, { event }] of stream.entries()) {
    const { type, object } = event;
    if (type === undefined || object === undefined) {
      skip(`event ${index + 1} was cut by the recording, so the rest isn't replayed`);
      break;
    }
    if (type === "BOOKMARK" && !isInitialEnd(object)) continue;
    if (isInitialEnd(object)) isInitial = false;
    else if (!isInitial) {
      const shown = object["kind"] === "Table" ? versions.find(metadataOf(object)) : object;
      if (shown === undefined) {
        skip(`event ${index + 1} shows an object that is recorded nowhere in full`);
        break;
      }
      await act(type, shown, lab);
    } else if (object["kind"] !== "Table") await lab.bringTo(object);
    const ours = await events.next(PATIENCE);
    if (ours === undefined) return [...found, `event ${index + 1}: ${type} ≠ nothing`];
    identities.learn(object, member(ours, "object"));
    const expected = { type, object: withoutFiller(type, object) };
    const actual = { type: ours["type"], object: withoutFiller(type, member(ours, "object") as JsonObject) };
    found.push(
      ...differences(normalise(expected), normalise(actual)).map((one) => `event ${index + 1}: ${one}`),
    );
  }
  await events.close();
  return found;
}

async function act(type: string, object: JsonObject, lab: Lab): Promise<void> {
  if (type === "DELETED") await lab.remove(object);
  else await lab.bringTo(object);
}

/** A bookmark says how far the stream has come; the rest of its object is empty, in one way or another. */
function withoutFiller(type: string, object: JsonObject): JsonObject {
  if (type !== "BOOKMARK") return object;
  const { kind, apiVersion, metadata } = object;
  return { kind, apiVersion, metadata };
}

export function isInitialEnd(object: JsonObject | undefined): boolean {
  return member(object, "metadata", "annotations", "k8s.io/initial-events-end") === "true";
}

function metadataOf(table: JsonObject): JsonObject | undefined {
  return member(list(table["rows"])[0], "object", "metadata") as JsonObject | undefined;
}

class EventReader {
  readonly #reader: ReadableStreamDefaultReader<Uint8Array> | undefined;
  readonly #decoder = new TextDecoder();
  #text = "";

  constructor(response: Response) {
    this.#reader = response.body?.getReader() as ReadableStreamDefaultReader<Uint8Array> | undefined;
  }

  /** The next event but for bookmarks without meaning; `undefined` when none comes in time. */
  async next(patience: number): Promise<JsonObject | undefined> {
    const late = AbortSignal.timeout(patience);
    for (;;) {
      const end = this.#text.indexOf("\n");
      if (end !== -1) {
        const event = JSON.parse(this.#text.slice(0, end)) as JsonObject;
        this.#text = this.#text.slice(end + 1);
        if (event["type"] === "BOOKMARK" && !isInitialEnd(member(event, "object") as JsonObject)) continue;
        return event;
      }
      const chunk = await Promise.race([this.#reader?.read(), expiry(late)]);
      if (chunk === undefined || chunk.done) return undefined;
      this.#text += this.#decoder.decode(chunk.value, { stream: true });
    }
  }

  async close(): Promise<void> {
    await this.#reader?.cancel();
  }
}

async function expiry(signal: AbortSignal): Promise<undefined> {
  await new Promise((resolve) => {
    signal.addEventListener("abort", resolve, { once: true });
  });
}
