/** Sends the requests of a recording to an API server of ours, and tells where its answers differ. */
import { isDeepStrictEqual } from "node:util";

import type { Json, JsonObject, Transport } from "../../../src/kubernetes/index.ts";
import { asObject, objectAt, textAt } from "../../../src/kubernetes/objects/fields.ts";
import { withoutChance } from "./chance.ts";
import { whatMatters } from "./what-matters.ts";
import type { ApiAnswer, ApiCase, ApiGroup, ApiRequest } from "./recording.ts";

const ORIGIN = "http://api.test";

export interface ApiOutcome {
  readonly name: string;
  /** Empty where the answer is the recorded one. */
  readonly differences: readonly string[];
}

/** The cases in their order; the namespaces they need are made first. */
export async function replayApi(group: ApiGroup, send: Transport): Promise<readonly ApiOutcome[]> {
  await makeNamespaces(group, send);
  const outcomes: ApiOutcome[] = [];
  for (const one of group.cases) {
    const differences = await replayCase(one, send);
    outcomes.push({ name: one.name, differences });
  }
  return outcomes;
}

async function replayCase({ request, response }: ApiCase, send: Transport): Promise<readonly string[]> {
  const answer = await send(await makeRequest(request, send));
  const text = await answer.text();
  return compare(response, {
    code: answer.status,
    contentType: answer.headers.get("content-type") ?? "",
    warnings: answer.headers.get("warning") ?? "",
    text,
  });
}

interface OurAnswer {
  readonly code: number;
  readonly contentType: string;
  readonly warnings: string;
  readonly text: string;
}

function compare(recorded: ApiAnswer, ours: OurAnswer): readonly string[] {
  const body = parse(ours.text);
  return [
    ...differ("code", recorded.code, ours.code),
    ...(recorded.contentType === undefined
      ? []
      : differ("content type", recorded.contentType, ours.contentType)),
    ...differ("warning", recorded.warning, ours.warnings.match(/299 - "(?:[^"\\]|\\.)*"/g)?.at(-1)),
    ...(recorded.bodyText === undefined ? [] : differ("body", recorded.bodyText, ours.text)),
    ...(recorded.body === undefined ? [] : differ("body", withoutChance(recorded.body), withoutChance(body))),
    ...(recorded.stored === undefined ? [] : differStored(recorded.stored, body)),
  ];
}

/** Some recordings keep all of the object, some a part of it as it is, most what matters about its kind. */
function differStored(stored: JsonObject, body: Json): readonly string[] {
  const plain = withoutChance(body);
  if (stored["kind"] === undefined) return differ("stored", stored, whatMatters(asObject(plain) ?? {}));
  const whole = stored["spec"] !== undefined || stored["items"] !== undefined;
  return differ("stored", stored, whole ? plain : partOf(plain, stored));
}

/** Only those members that `like` has. */
function partOf(value: Json, like: Json): Json {
  const [object, wanted] = [asObject(value), asObject(like)];
  if (object === undefined || wanted === undefined) return value;
  const members = Object.keys(wanted).filter((name) => object[name] !== undefined);
  return Object.fromEntries(
    members.map((name) => [name, partOf(object[name] ?? null, wanted[name] ?? null)]),
  );
}

function differ(what: string, recorded: unknown, ours: unknown): readonly string[] {
  if (isDeepStrictEqual(recorded, ours)) return [];
  return [`${what}: recorded ${show(recorded)}\n    but ours is ${show(ours)}`];
}

function show(value: unknown): string {
  return JSON.stringify(value) ?? "absent";
}

function parse(text: string): Json {
  try {
    return JSON.parse(text) as Json;
  } catch {
    return null;
  }
}

async function makeRequest(request: ApiRequest, send: Transport): Promise<Request> {
  const { method, path, contentType } = request;
  const body = await bodyOf(request, send);
  const type = contentType ?? (body === undefined ? undefined : "application/json");
  return new Request(`${ORIGIN}${path}`, {
    method,
    headers: { accept: "application/json", ...(type !== undefined && { "content-type": type }) },
    ...(body !== undefined && { body }),
  });
}

async function bodyOf(request: ApiRequest, send: Transport): Promise<string | undefined> {
  const { body, bodyText, path } = request;
  if (bodyText !== undefined) return bodyText;
  if (typeof body !== "string") return body === undefined || body === null ? undefined : JSON.stringify(body);
  const long = /^Secret (\S+), (\S+), data\.(\S+) = (\d+) bytes of (.)/.exec(body);
  if (long !== null) {
    const [, name = "", type = "", key = "", length = "", letter = ""] = long;
    const data = { [key]: Buffer.from(letter.repeat(Number(length))).toString("base64") };
    return JSON.stringify({ apiVersion: "v1", kind: "Secret", metadata: { name }, type, data });
  }
  const [, place = "", value = ""] = /^\(stored \S+ with (\S+) = (.*)\)$/.exec(body) ?? [];
  if (place === "") throw new Error(`cannot make a body of ${JSON.stringify(body)}`);
  const answer = await send(new Request(`${ORIGIN}${path.split("?")[0] ?? ""}`));
  const stored = (await answer.json()) as JsonObject;
  return JSON.stringify(replaceAt(stored, place.split(/[.[\]]+/), value));
}

function replaceAt(value: Json, [first, ...rest]: readonly string[], replacement: string): Json {
  if (first === undefined) return replacement;
  if (Array.isArray(value)) {
    const list = value as readonly Json[];
    return list.map((item, index) => (String(index) === first ? replaceAt(item, rest, replacement) : item));
  }
  const object = asObject(value) ?? {};
  return { ...object, [first]: replaceAt(object[first] ?? null, rest, replacement) };
}

/** What cases speak of is there, unless the answer is that it isn't. */
async function makeNamespaces(group: ApiGroup, send: Transport): Promise<void> {
  const missing = new Set<string>();
  const needed = new Set<string>();
  for (const { request, response } of group.cases) {
    const name = /\/namespaces\/([^/?]+)\//.exec(request.path)?.[1];
    if (name === undefined) continue;
    const causeName = textAt(objectAt(response.body, "details"), "name");
    const kind = textAt(objectAt(response.body, "details"), "kind");
    if (response.code === 404 && kind === "namespaces" && causeName === name) missing.add(name);
    else needed.add(name);
  }
  for (const name of needed) {
    if (missing.has(name)) continue;
    const namespace = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
    const answer = await send(
      new Request(`${ORIGIN}/api/v1/namespaces`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify(namespace),
      }),
    );
    if (answer.status !== 201 && answer.status !== 409) throw new Error(await answer.text());
  }
}
