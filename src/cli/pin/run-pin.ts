/** `dray pin`: from files to files, with a line for each image that isn't what it was. */
import { writeFileAtomically } from "../../internal/atomic-write.ts";
import { findImagePlaces, type ImagePlace, replaceImages } from "../../kubernetes/index.ts";
import type { Digest } from "../../oci/index.ts";
import type { CommandContext } from "../context.ts";
import { printable } from "../terminal/width.ts";
import { type ManifestFile, readManifestFiles } from "./manifest-files.ts";
import type { Pin, PinPlanner } from "./plan-pins.ts";

export interface RunPinOptions {
  readonly files: readonly string[];
  readonly planner: PinPlanner;
  /** Change nothing, and fail where something would have to be changed. */
  readonly check: boolean;
  /** Take the new digests of what moved. */
  readonly update: boolean;
  readonly json: boolean;
  /** When an image was made; asked of both sides of a move. */
  readonly createdAt: (image: string, digest: Digest) => Promise<string | undefined>;
}

/** Images looked up at a time. */
const JOBS = 8;

interface Tally {
  changed: number;
  failed: number;
  due: number;
}

/** @returns the exit code: 1 when an image can't be looked up, or when `check` finds something to do */
export async function runPin(options: RunPinOptions, context: CommandContext): Promise<number> {
  const tally: Tally = { changed: 0, failed: 0, due: 0 };
  // All of them first: a file that can't be read stops everything before anything is written.
  const files = await Array.fromAsync(readManifestFiles(options.files, context.cwd));
  for (const file of files) await pinFile(file, options, { context, tally });
  return tally.failed > 0 || (options.check && tally.due > 0) ? 1 : 0;
}

async function pinFile(
  file: ManifestFile,
  options: RunPinOptions,
  { context, tally }: { readonly context: CommandContext; readonly tally: Tally },
): Promise<void> {
  const { places, problems } = findImagePlaces(file.text);
  for (const { line, column, message } of problems) {
    void context.stderr.write(`${printable(`${file.name}:${line}:${column}: ${message}`)}\n`);
  }
  // What can't be read may hold images; in folders there are other documents, too.
  if (options.check && (file.named || places.length > 0)) tally.due += problems.length;
  const pins = await planAll(places, options.planner);
  for (const [place, pin] of pins) {
    if (pin.state === "failed") tally.failed++;
    else if (pin.state === "unpinned" || pin.state === "moved") tally.due++;
    await tell(file, { place, pin }, { options, context });
  }
  if (options.check) return;
  const text = replaceImages(file.text, places, (place) => newImage(pins.get(place), options));
  if (text === file.text) return;
  context.signal.throwIfAborted();
  await writeFileAtomically(file.path, text, { mode: file.mode });
  tally.changed++;
}

/** What a place gets; `undefined` where it stays. Without `update`, what is pinned is nobody's business. */
function newImage(pin: Pin | undefined, { update }: RunPinOptions): string | undefined {
  if (pin?.state === "unpinned") return pin.becomes;
  return pin?.state === "moved" && update ? pin.becomes : undefined;
}

async function planAll(
  places: readonly ImagePlace[],
  planner: PinPlanner,
): Promise<ReadonlyMap<ImagePlace, Pin>> {
  const pins = new Map<ImagePlace, Pin>();
  const left = [...places];
  const work = async (): Promise<void> => {
    for (let place = left.shift(); place !== undefined; place = left.shift()) {
      pins.set(place, await planner.plan(place.image));
    }
  };
  await Promise.all(Array.from({ length: JOBS }, work));
  // In the order of the text, whoever answered first.
  return new Map(places.flatMap((place) => (pins.has(place) ? [[place, pins.get(place) as Pin]] : [])));
}

interface Planned {
  readonly place: ImagePlace;
  readonly pin: Pin;
}

async function tell(
  file: ManifestFile,
  { place, pin }: Planned,
  { options, context }: { readonly options: RunPinOptions; readonly context: CommandContext },
): Promise<void> {
  const { check, update, json, createdAt } = options;
  const moved = pin.state === "moved" && (check || update);
  const created = moved
    ? {
        fromCreated: await createdAt(pin.image, pin.from),
        created: await createdAt(pin.becomes, pin.digest),
      }
    : undefined;
  if (json) {
    const { path, line, column, kind, name, namespace } = place;
    const where = { file: file.name, line, column, path, kind, name, namespace };
    await context.stdout.write(`${JSON.stringify({ ...where, ...pin, ...created })}\n`);
    return;
  }
  const at = `${file.name}:${place.line}`;
  const line = describe(pin, { ...options, created });
  if (line === undefined) return;
  const output = pin.state === "failed" ? context.stderr : context.stdout;
  await output.write(`${printable(`${at}: ${line}`)}\n`);
}

function describe(
  pin: Pin,
  {
    check,
    update,
    created,
  }: Pick<RunPinOptions, "check" | "update"> & {
    readonly created:
      | { readonly fromCreated: string | undefined; readonly created: string | undefined }
      | undefined;
  },
): string | undefined {
  switch (pin.state) {
    case "unpinned":
      return check ? `${pin.image} isn't pinned; it is ${pin.digest} now` : `${pin.image} → ${pin.becomes}`;
    case "moved": {
      if (!check && !update) return undefined;
      const [from, to] = [dated(pin.from, created?.fromCreated), dated(pin.digest, created?.created)];
      if (update && !check) return `${pin.image} → ${pin.becomes}`;
      return pin.tag === pin.present
        ? `${pin.image} moved: tag ${pin.tag} was ${from}, is ${to}`
        : `${pin.image} is behind: tag ${pin.tag} is ${to}, and it is at ${from}`;
    }
    case "failed":
      return `${pin.image}: ${pin.message}`;
    case "pinned":
    case "fixed":
      return undefined;
  }
}

function dated(digest: Digest, created: string | undefined): string {
  return created === undefined ? digest : `${digest} (made ${created})`;
}
