/** crictl's image commands over our own client, printed as crictl prints them. */
import { toJson } from "@bufbuild/protobuf";
import { Code, ConnectError } from "@connectrpc/connect";

import { codeName, type CriClient } from "../../../src/cri/index.ts";
import {
  type Image,
  ImageFsInfoResponseSchema,
  ImageSchema,
} from "../../../src/cri/generated/runtime/v1_pb.ts";

export interface Printed {
  readonly exitCode: number;
  readonly stdout: string;
  readonly stderr: string;
  /** The failure of a call, for who compares facts. */
  readonly failure?: ConnectError;
}

const COMMANDS = ["pull", "images", "inspecti", "imagefsinfo", "rmi"];

/** Whether it is one of those that {@link runCrictl} runs. */
export function isKnownCommand(argv: readonly string[]): boolean {
  return COMMANDS.includes(parse(argv).command);
}

export async function runCrictl(argv: readonly string[], client: CriClient): Promise<Printed> {
  const { command, flags, words } = parse(argv);
  const [first = ""] = words;
  switch (command) {
    case "pull":
      return await pull(first, flags, client);
    case "images":
      return done(printImages((await client.images.listImages(filterOf(first))).images, flags));
    case "inspecti":
      return await inspect(first, client);
    case "imagefsinfo": {
      const info = await client.images.imageFsInfo({});
      return done(json({ status: toJson(ImageFsInfoResponseSchema, info, { alwaysEmitImplicit: true }) }));
    }
    case "rmi":
      if (flags.has("prune")) return await prune(client);
      return await remove(flags.has("all") || flags.has("a") ? await listIds(client) : words, client);
    default:
      throw new Error(`crictl ${command} isn't known here`);
  }
}

const VALUED = new Set(["creds", "auth", "o", "output"]);

function parse(argv: readonly string[]): {
  readonly command: string;
  readonly flags: ReadonlyMap<string, string>;
  readonly words: readonly string[];
} {
  const flags = new Map<string, string>();
  const words: string[] = [];
  const rest = argv.slice(1);
  for (let word = rest.shift(); word !== undefined; word = rest.shift()) {
    const name = /^--?(.+)$/.exec(word)?.[1];
    if (name === undefined) words.push(word);
    else flags.set(name, VALUED.has(name) ? (rest.shift() ?? "") : "true");
  }
  const [command = "", ...more] = words;
  return { command, flags, words: more };
}

function filterOf(image: string): { filter?: { image: { image: string } } } {
  return image === "" ? {} : { filter: { image: { image } } };
}

async function pull(image: string, flags: ReadonlyMap<string, string>, client: CriClient): Promise<Printed> {
  const [username, password] = flags.get("creds")?.split(":") ?? [];
  const encoded = flags.get("auth");
  const auth = username !== undefined ? { username, password: password ?? "" } : encoded && { auth: encoded };
  const debug = flags.has("debug");
  try {
    const { imageRef } = await client.images.pullImage({ image: { image }, ...(auth && { auth }) });
    const told = [
      "Get image connection",
      `PullImageRequest: image:{image:${JSON.stringify(image)}}`,
      `PullImageResponse: image_ref:${JSON.stringify(imageRef)}`,
    ];
    return {
      exitCode: 0,
      stdout: `Image is up to date for ${imageRef}\n`,
      stderr: debug ? told.map((text) => log("debug", text)).join("") : "",
    };
  } catch (error) {
    const failure = ConnectError.from(error);
    const { code, rawMessage } = failure;
    const full = `rpc error: code = ${codeName(code)} desc = ${rawMessage}`;
    const short = code === Code.Unknown ? rawMessage : full;
    const stderr =
      `E "PullImage from image service failed" err=${JSON.stringify(full)} image=${JSON.stringify(image)}\n` +
      log("error", `pulling image: ${short}`);
    return { exitCode: 1, stdout: "", stderr, failure };
  }
}

function printImages(images: readonly Image[], flags: ReadonlyMap<string, string>): string {
  const sorted = images.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
  if (flags.get("o") === "json") {
    return json({ images: sorted.map((image) => toJson(ImageSchema, image, { alwaysEmitImplicit: true })) });
  }
  if (flags.has("q")) return sorted.map(({ id }) => `${id}\n`).join("");
  if (flags.has("v")) return sorted.map(printVerbose).join("");
  const whole = flags.has("no-trunc");
  const cut = (digest: string): string => (whole ? digest : digest.replace(/^sha256:/, "").slice(0, 13));
  const digests = flags.has("digests");
  const rows = sorted.flatMap((image) =>
    splitNames(image).map(({ name, tag, digest }) => [
      name,
      tag,
      ...(digests ? [cut(digest)] : []),
      cut(image.id),
      humanSize(Number(image.size)),
    ]),
  );
  return table([["IMAGE", "TAG", ...(digests ? ["DIGEST"] : []), "IMAGE ID", "SIZE"], ...rows]);
}

function printVerbose({ id, repoTags, repoDigests, size, uid, username }: Image): string {
  const lines = [
    `ID: ${id}`,
    ...repoTags.map((tag) => `RepoTags: ${tag}`),
    ...repoDigests.map((digest) => `RepoDigests: ${digest}`),
    ...(size === 0n ? [] : [`Size: ${size}`]),
    ...(uid === undefined ? [] : [`Uid: value:${uid.value}`]),
    ...(username === "" ? [] : [`Username: ${username}`]),
  ];
  return `${lines.join("\n")}\n\n`;
}

function nameOf({ repoTags, repoDigests, id }: Image): string {
  return repoTags[0] ?? repoDigests[0] ?? id;
}

function splitNames({ repoTags, repoDigests }: Image): readonly {
  readonly name: string;
  readonly tag: string;
  readonly digest: string;
}[] {
  const [first = "<none>@<none>"] = repoDigests;
  const digest = first.slice(first.indexOf("@") + 1);
  if (repoTags.length === 0) return [{ name: first.slice(0, first.indexOf("@")), tag: "<none>", digest }];
  return repoTags.map((text) => {
    const colon = text.lastIndexOf(":");
    return { name: text.slice(0, colon), tag: text.slice(colon + 1), digest };
  });
}

async function inspect(image: string, client: CriClient): Promise<Printed> {
  const { image: status, info } = await client.images.imageStatus({ image: { image }, verbose: true });
  if (status === undefined) return failed(`no such image ${JSON.stringify(image)} present`);
  const shown = toJson(ImageSchema, status, { alwaysEmitImplicit: true });
  return done(json({ info: JSON.parse(info["info"] ?? "{}") as unknown, status: shown }));
}

async function remove(images: readonly string[], client: CriClient): Promise<Printed> {
  let [stdout, stderr] = ["", ""];
  const failures: string[] = [];
  for (const image of images) {
    const { image: status } = await client.images.imageStatus({ image: { image } });
    if (status === undefined) {
      failures.push(`no such image ${image}`);
      continue;
    }
    const { repoTags, repoDigests } = status;
    if (repoTags.length > 1) {
      const warning = `Image ${JSON.stringify(image)} has multiple tags. Removing this image will delete all of the following tags:`;
      stderr += [warning, ...repoTags.map((tag) => `  ${tag}`)].map((text) => log("warning", text)).join("");
    }
    await client.images.removeImage({ image: { image } });
    const names = repoTags.length > 0 ? repoTags : repoDigests;
    stdout += names.map((name) => `Deleted: ${name}\n`).join("");
  }
  return {
    exitCode: failures.length === 0 ? 0 : 1,
    stdout,
    stderr: stderr + failures.map((text) => log("error", text)).join(""),
  };
}

async function listIds(client: CriClient): Promise<readonly string[]> {
  return (await client.images.listImages({})).images.map(({ id }) => id);
}

async function prune(client: CriClient): Promise<Printed> {
  const { images } = await client.images.listImages({});
  const { containers } = await client.runtime.listContainers({});
  const used = new Set(containers.map(({ imageRef }) => imageRef));
  const unused = images.filter(({ id, pinned }) => !pinned && !used.has(id));
  if (unused.length === 0) return { ...done(""), stderr: log("info", "No images to remove") };
  return await remove(
    unused.map(({ id }) => id),
    client,
  );
}

/** Columns of twenty characters, or three more than what is longest. */
function table(rows: readonly (readonly string[])[]): string {
  const widths = (rows[0] ?? []).map((_, index) =>
    Math.max(20, ...rows.map((row) => (row[index]?.length ?? 0) + 3)),
  );
  const print = (row: readonly string[]): string =>
    row.map((cell, index) => (index === row.length - 1 ? cell : cell.padEnd(widths[index] ?? 0))).join("");
  return rows.map((row) => `${print(row)}\n`).join("");
}

/** Three digits that count, and a decimal unit. */
function humanSize(bytes: number): string {
  let [size, unit] = [bytes, 0];
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${Number(size.toPrecision(3))}${UNITS[unit]}`;
}

const UNITS = ["B", "kB", "MB", "GB", "TB"];

function log(level: string, text: string): string {
  return `time="T" level=${level} msg=${JSON.stringify(text)}\n`;
}

function done(stdout: string): Printed {
  return { exitCode: 0, stdout, stderr: "" };
}

function failed(text: string): Printed {
  return { exitCode: 1, stdout: "", stderr: log("error", text) };
}

function json(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
