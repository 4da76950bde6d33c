import { resolve } from "node:path";

import { type CopyRule, type ImageSettings, buildImage } from "../../build/index.ts";
import { formatPlatform, parsePlatform } from "../../oci/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { copyPlaces } from "../copy-places.ts";
import { UsageError } from "../errors.ts";
import { openSink, openSource, labelOf } from "../open-place.ts";
import { type Place, parsePlace } from "../place.ts";
import { REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";
import { printable } from "../terminal/width.ts";
import { placeOptions } from "../with-source.ts";

export const build: Command = defineCommand({
  name: "build",
  summary: "Make an image of a folder's files, on top of a base image or of nothing",
  details: [
    "The same files give the same digest on every machine: entries are sorted, times fixed, owners root. A .dockerignore in the folder counts.",
    "Names go into the node's store, unless they say another place: oci:DIR, oci-archive:FILE, docker-archive:FILE, docker://NAME. Prints the digest.",
  ],
  options: {
    tag: { type: "string", short: "t", value: "NAME", multiple: true, summary: "The image's name" },
    push: { type: "boolean", summary: "Push the names in the store to their registries, too" },
    from: { type: "string", value: "IMAGE", summary: "Build on this image" },
    copy: {
      type: "string",
      value: "FROM:TO",
      multiple: true,
      summary: "Take this path of the folder to this place; all of it to / by default",
    },
    ignore: {
      type: "string",
      value: "PATTERN",
      multiple: true,
      summary: "Leave files out, as .dockerignore does",
    },
    entrypoint: { type: "string", value: "COMMAND", summary: "Words, or a JSON list of them" },
    cmd: { type: "string", value: "COMMAND", summary: "Words, or a JSON list of them" },
    env: {
      type: "string",
      short: "e",
      value: "NAME=VALUE",
      multiple: true,
      summary: "An environment variable",
    },
    user: { type: "string", value: "USER", summary: "Who the image runs as" },
    workdir: { type: "string", short: "w", value: "DIR", summary: "Where it runs" },
    label: { type: "string", short: "l", value: "NAME=VALUE", multiple: true, summary: "A label" },
    annotation: {
      type: "string",
      value: "NAME=VALUE",
      multiple: true,
      summary: "An annotation of the manifest",
    },
    expose: { type: "string", value: "PORT", multiple: true, summary: "A port such as 80 or 53/udp" },
    volume: { type: "string", value: "DIR", multiple: true, summary: "A volume" },
    "stop-signal": { type: "string", value: "SIGNAL", summary: "The signal that stops it" },
    platform: {
      type: "string",
      value: "OS/ARCH",
      summary: "What it runs on; the base's, or linux/amd64, by default",
    },
    compression: {
      type: "string",
      choices: ["gzip", "zstd", "none"],
      summary: "How the layer is packed; gzip by default",
    },
    "media-types": {
      type: "string",
      choices: ["oci", "docker"],
      summary: "The family of documents; oci by default",
    },
    created: {
      type: "string",
      value: "TIME",
      summary: "The time of the image and its files, as ISO 8601; 1970 by default",
    },
    author: { type: "string", value: "NAME", summary: "Who made it" },
    ...STORE_OPTIONS,
    ...REGISTRY_OPTIONS,
  },
  arguments: [{ name: "FOLDER", summary: "The folder with the files", optional: true }],
  examples: [
    { command: "dray build -t hello:1 --entrypoint /hello rootfs/", summary: "An image of files alone" },
    {
      command: "dray build -t localhost:5000/site:1 --from nginx --copy .:/usr/share/nginx/html --push site/",
      summary: "On top of another image, and pushed",
    },
    { command: "dray build -t oci-archive:hello.tar:hello:1 rootfs/", summary: "Into a file" },
  ],
  async run({ values, positionals }, context) {
    const places = (values.tag ?? []).map(toPlace);
    const [first] = places;
    if (first === undefined)
      throw new UsageError("dray build needs a name for the image: add --tag NAME", "build");
    if (positionals[0] === undefined && values.from === undefined) {
      throw new UsageError(
        "dray build needs FOLDER or --from: there is nothing to make an image of",
        "build",
      );
    }
    const options = placeOptions(values, context);
    await using stack = new AsyncDisposableStack();
    const base =
      values.from === undefined ? undefined : stack.use(await openSource(parsePlace(values.from), options));
    // Its own scope: an archive has to be closed before it can be copied from.
    const result = await (async () => {
      await using sink = await openSink(first, options);
      const built = await buildImage({
        context: positionals[0] === undefined ? undefined : resolve(context.cwd, positionals[0]),
        ...(base !== undefined && {
          base: { source: base.source, reference: base.reference, name: base.label },
        }),
        copy: values.copy?.map(readRule),
        ignore: values.ignore,
        config: readSettings(values),
        platform: values.platform === undefined ? undefined : parsePlatform(values.platform),
        compression: readCompression(values.compression),
        mediaTypes: values["media-types"] === "docker" ? "docker" : "oci",
        created: readTime(values.created),
        author: values.author,
        ...(values.annotation !== undefined && { annotations: readPairs(values.annotation, "--annotation") }),
        to: sink.sink,
        as: sink.name,
        signal: context.signal,
      });
      await sink.finish();
      return built;
    })();
    for (const { message } of result.warnings) void context.stderr.write(`Warning: ${printable(message)}\n`);
    const silent = { ...context, stdout: { ...context.stdout, write: (): void => {} } };
    for (const place of places.slice(1))
      await copyPlaces(first, place, { values: { ...values, quiet: true }, context: silent });
    for (const place of values.push === true ? places : []) {
      if (place.kind !== "store") continue;
      await copyPlaces(
        place,
        { ...place, kind: "docker" },
        { values: { ...values, quiet: true }, context: silent },
      );
      void context.stderr.write(`Pushed ${labelOf({ ...place, kind: "docker" })}\n`);
    }
    const { descriptor, config, layers } = result;
    const facts = {
      names: places.map(labelOf),
      digest: descriptor.digest,
      config: config.digest,
      layers: layers.map(({ digest }) => digest),
      platform: descriptor.platform === undefined ? null : formatPlatform(descriptor.platform),
    };
    await context.stdout.write(`${values.json === true ? JSON.stringify(facts) : descriptor.digest}\n`);
  },
});

/** Plain names mean the store here, as they do for docker build. */
function toPlace(text: string): Place {
  const place = parsePlace(text);
  return place.kind === "docker" && !text.startsWith("docker://") ? { ...place, kind: "store" } : place;
}

function readSettings(values: {
  readonly entrypoint?: string;
  readonly cmd?: string;
  readonly env?: readonly string[];
  readonly user?: string;
  readonly workdir?: string;
  readonly label?: readonly string[];
  readonly expose?: readonly string[];
  readonly volume?: readonly string[];
  readonly "stop-signal"?: string;
}): ImageSettings {
  return {
    entrypoint: readWords(values.entrypoint, "--entrypoint"),
    cmd: readWords(values.cmd, "--cmd"),
    env: values.env && readPairs(values.env, "--env"),
    user: values.user,
    workdir: values.workdir,
    labels: values.label && readPairs(values.label, "--label"),
    exposedPorts: values.expose,
    volumes: values.volume,
    stopSignal: values["stop-signal"],
  };
}

function readWords(text: string | undefined, option: string): readonly string[] | undefined {
  if (text === undefined) return undefined;
  if (!text.trimStart().startsWith("[")) return text.split(/\s+/).filter((word) => word !== "");
  try {
    const words: unknown = JSON.parse(text);
    if (Array.isArray(words) && words.every((word): word is string => typeof word === "string")) return words;
  } catch {
    // Said below, together with lists of other things.
  }
  throw new UsageError(
    `Option ${option} does not take ${JSON.stringify(text)}: it is no JSON list of texts`,
    "build",
  );
}

function readPairs(texts: readonly string[], option: string): Readonly<Record<string, string>> {
  return Object.fromEntries(
    texts.map((text) => {
      const at = text.indexOf("=");
      if (at > 0) return [text.slice(0, at), text.slice(at + 1)];
      throw new UsageError(
        `Option ${option} does not take ${JSON.stringify(text)}: write NAME=VALUE`,
        "build",
      );
    }),
  );
}

function readRule(text: string): CopyRule {
  const colon = text.indexOf(":");
  return colon < 0 ? { from: text } : { from: text.slice(0, colon) || ".", to: text.slice(colon + 1) };
}

function readCompression(text: string | undefined): "gzip" | "zstd" | "none" | undefined {
  return text === "gzip" || text === "zstd" || text === "none" ? text : undefined;
}

function readTime(text: string | undefined): number | undefined {
  if (text === undefined) return undefined;
  const time = Date.parse(text);
  if (Number.isNaN(time))
    throw new UsageError(
      `Option --created does not take ${JSON.stringify(text)}: write 2026-01-31T12:00:00Z`,
      "build",
    );
  return time;
}
