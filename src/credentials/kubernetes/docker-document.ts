/**
 * Docker's two documents as Kubernetes reads them.
 *
 * ```text
 * .dockercfg    { "<registry>": <entry>, … }
 * config.json   { "auths": { "<registry>": <entry>, … }, "HttpHeaders": { … }, … }
 * <entry>       { "username": "", "password": "", "email": "", "auth": "<base64 username:password>" }
 * ```
 *
 * One bad entry spoils the document.
 */
import { GoError } from "../../internal/go/errors.ts";
import { decodeJson, goCustom, goMap, goString, goStruct } from "../../internal/go/json-decode.ts";
import { Secret } from "../../internal/secret.ts";
import { type DockerEntry, readEntry } from "./docker-entry.ts";

/** Entries by registry, in the order of the document. */
export type DockerDocument = ReadonlyMap<string, DockerEntry>;

export type DockerFormat = "dockercfg" | "dockerconfigjson";

const EMPTY: DockerEntry = { username: "", password: new Secret(""), email: "" };

const Entry = goCustom<DockerEntry>("credentialprovider.DockerConfigEntry", EMPTY, (node) => {
  const { entry, error } = readEntry(node);
  if (error !== undefined) throw error;
  return entry;
});

const Dockercfg = goMap("credentialprovider.DockerConfig", Entry);

const DockerConfigJson = goStruct(
  "DockerConfigJSON",
  { auths: Dockercfg, HttpHeaders: goMap("map[string]string", goString) },
  "credentialprovider.DockerConfigJSON",
);

/**
 * Reads a document as one from a Secret is read.
 *
 * @throws GoError in the words of Go's decoders, which the kubelet passes on
 */
export function decodeDocument(text: Uint8Array | string, format: DockerFormat): DockerDocument {
  const entries =
    format === "dockercfg" ? decodeJson(text, Dockercfg) : decodeJson(text, DockerConfigJson).auths;
  return entries ?? new Map();
}

/**
 * Reads a document as one from a file is read: why it can't be read is not said.
 *
 * @throws GoError
 */
export function readDocument(text: Uint8Array | string, format: DockerFormat): DockerDocument {
  try {
    return decodeDocument(text, format);
  } catch (cause) {
    if (!(cause instanceof GoError)) throw cause;
    throw new GoError("error occurred while trying to unmarshal json", { cause });
  }
}
