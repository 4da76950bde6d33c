/** Why an entry of a credential document is for an image or isn't, in a sentence. */
import { type KeyVerdict, type Mismatch, parseTarget } from "../../credentials/index.ts";
import type { EntryTrace } from "../trace.ts";

export function traceEntry(
  { key, mismatch }: Pick<KeyVerdict, "key" | "mismatch">,
  image: string,
): EntryTrace {
  return {
    key,
    matched: mismatch === undefined,
    ...(mismatch !== undefined && { mismatch }),
    why: mismatch === undefined ? describeMatch(key) : describeMismatch(key, image, mismatch),
  };
}

/** Of a document with these entries. */
export function stateOf(
  entries: readonly EntryTrace[],
  credentials: readonly unknown[],
): "matched" | "not-matched" | "empty" {
  if (credentials.length > 0) return "matched";
  return entries.length === 0 ? "empty" : "not-matched";
}

export function describeMatch(key: string): string {
  const target = parseTarget(key);
  const glob = target?.labels.some((label) => /[*?[]/.test(label)) === true;
  const path = (target?.path ?? "") !== "";
  const parts = [
    glob ? "its glob fits the host" : "its host is the image's",
    path ? "its path begins the repository" : "",
  ];
  return parts.filter((part) => part !== "").join(", and ");
}

export function describeMismatch(key: string, image: string, mismatch: Mismatch): string {
  const [entry, wanted] = [parseTarget(key), parseTarget(image)];
  const [ours, theirs] = [entry?.labels ?? [], wanted?.labels ?? []];
  switch (mismatch) {
    case "key-invalid":
      return "it is no address";
    case "image-invalid":
      return "the image's name is no address";
    case "port":
      return `it is for ${portOf(entry?.port)}, and the image's host has ${portOf(wanted?.port)}`;
    case "label-count":
      return `its host ${quote(ours.join("."))} has ${count(ours.length)}, the image's ${quote(theirs.join("."))} has ${count(theirs.length)}`;
    case "path":
      return `its path ${quote(entry?.path ?? "")} doesn't begin the image's ${quote(wanted?.path ?? "")}`;
    case "host":
      return `its host ${quote(ours.join("."))} is not the image's ${quote(theirs.join("."))}`;
  }
}

function portOf(port: string | undefined): string {
  return port === undefined || port === "" ? "no port" : `port ${port}`;
}

function count(labels: number): string {
  return labels === 1 ? "1 part" : `${labels} parts`;
}

function quote(text: string): string {
  return JSON.stringify(text);
}
