/**
 * The node's own credentials, which every Pod may use.
 *
 * ```text
 * <root>/config.json   <cwd>/config.json   $HOME/.docker/config.json   /.docker/config.json     the first that can be read;
 * <root>/.dockercfg    <cwd>/.dockercfg    $HOME/.dockercfg            /.dockercfg              only then one of these
 * ```
 */
import { readFile } from "node:fs/promises";
import { join, resolve } from "node:path";
import { GoError } from "../../internal/go/errors.ts";
import { type DockerDocument, type DockerFormat, readDocument } from "./docker-document.ts";
import type { DocumentProvider, ProvidedDocument } from "./providers-keyring.ts";

export interface NodePlaces {
  /** The kubelet's root directory, `/var/lib/kubelet`. */
  readonly root: string;
  readonly workingDirectory: string;
  /** `$HOME`; may be empty. */
  readonly home: string;
}

/** Reads a file whole; rejects when that isn't possible, for whatever reason. */
export type ReadFile = (path: string) => Promise<Uint8Array>;

/** A file that was looked at; undefined `problem` for the one that was taken. */
export interface SearchedFile {
  readonly path: string;
  readonly problem: "unreadable" | "invalid" | undefined;
}

export interface NodeSearch {
  readonly searched: readonly SearchedFile[];
  readonly found: { readonly path: string; readonly document: DockerDocument } | undefined;
  /** Why nothing was found, in the kubelet's words; it only logs them. */
  readonly problem: string | undefined;
}

/** Looks for the node's document. The first file that can be read and decoded is the one, even without entries. */
export async function searchNodeFiles(places: NodePlaces, read: ReadFile = readFile): Promise<NodeSearch> {
  const searched: SearchedFile[] = [];
  for (const { name, format, directories } of searchOrder(places)) {
    for (const directory of directories) {
      const path = resolve(places.workingDirectory, directory, name);
      const document = await readOne(path, format, read);
      if (typeof document !== "string") {
        searched.push({ path, problem: undefined });
        return { searched, found: { path, document }, problem: undefined };
      }
      searched.push({ path, problem: document });
    }
  }
  const [, dockercfg] = searchOrder(places);
  const problem = `couldn't find valid .dockercfg after checking in [${dockercfg.directories.join(" ")}]`;
  return { searched, found: undefined, problem };
}

/** The node's document, searched for at every call. */
export class NodeFilesProvider implements DocumentProvider {
  readonly #places: NodePlaces;
  readonly #read: ReadFile;

  constructor(places: NodePlaces, options: { readonly readFile?: ReadFile | undefined } = {}) {
    this.#places = places;
    this.#read = options.readFile ?? readFile;
  }

  async provide(): Promise<ProvidedDocument> {
    const { found } = await searchNodeFiles(this.#places, this.#read);
    return {
      document: found?.document ?? new Map(),
      origin: { kind: "file", label: found?.path ?? "the node's files" },
    };
  }
}

interface Search {
  readonly name: string;
  readonly format: DockerFormat;
  readonly directories: readonly string[];
}

/** The working directory is empty, as in the kubelet's own list. */
function searchOrder({ root, home }: NodePlaces): readonly [Search, Search] {
  return [
    {
      name: "config.json",
      format: "dockerconfigjson",
      directories: [root, "", join(home, ".docker"), "/.docker"],
    },
    { name: ".dockercfg", format: "dockercfg", directories: [root, "", home, "/"] },
  ];
}

async function readOne(
  path: string,
  format: DockerFormat,
  read: ReadFile,
): Promise<DockerDocument | "unreadable" | "invalid"> {
  let bytes: Uint8Array;
  try {
    bytes = await read(path);
  } catch {
    return "unreadable";
  }
  try {
    return readDocument(bytes, format);
  } catch (error) {
    if (error instanceof GoError) return "invalid";
    throw error;
  }
}
