import { dirname, isAbsolute, join } from "node:path";
import { yaml } from "../../internal/yaml.ts";
import { KubernetesClientError } from "./errors.ts";

/** A part of one file, which knows where it stands: everything read from it complains by name. */
export class ConfigEntry {
  readonly file: string;
  /** `user "admin"` */
  readonly what: string;
  readonly #members: Readonly<Record<string, unknown>>;

  constructor(file: string, what: string, members: unknown) {
    this.file = file;
    this.what = what;
    if (members !== null && members !== undefined && !isRecord(members)) throw this.fault("is not a mapping");
    this.#members = members ?? {};
  }

  fault(state: string, cause?: unknown): KubernetesClientError {
    const message = `Cannot use kubeconfig "${this.file}": ${this.what} ${state}`;
    return new KubernetesClientError("CONFIG_INVALID", message, { cause });
  }

  has(name: string): boolean {
    const value = this.#members[name];
    return value !== undefined && value !== null && value !== "";
  }

  raw(name: string): unknown {
    return this.#members[name];
  }

  text(name: string): string | undefined {
    if (!this.has(name)) return undefined;
    const value = this.#members[name];
    if (typeof value !== "string") throw this.fault(`has ${name}, which is not a text`);
    return value;
  }

  flag(name: string): boolean {
    const value = this.#members[name] ?? false;
    if (typeof value !== "boolean") throw this.fault(`has ${name}, which is neither true nor false`);
    return value;
  }

  texts(name: string): readonly string[] {
    const value = this.#members[name] ?? [];
    if (!Array.isArray(value) || !value.every((one): one is string => typeof one === "string")) {
      throw this.fault(`has ${name}, which is not a list of texts`);
    }
    return value;
  }

  /** A file's path; relative ones start at the folder of the kubeconfig. */
  path(name: string): string | undefined {
    const path = this.text(name);
    return path === undefined || isAbsolute(path) ? path : join(dirname(this.file), path);
  }

  /** The text behind a member that holds it in base64. */
  data(name: string): string | undefined {
    const text = this.text(name)?.replaceAll(/\s/gv, "");
    if (text === undefined) return undefined;
    if (!/^[A-Za-z0-9+\/]*={0,2}$/v.test(text) || text.length % 4 !== 0) {
      throw this.fault(`has ${name}, which is not base64`);
    }
    return Buffer.from(text, "base64").toString("utf8");
  }

  entry(name: string): ConfigEntry | undefined {
    return this.has(name)
      ? new ConfigEntry(this.file, `${this.what} with ${name}`, this.#members[name])
      : undefined;
  }
}

export type Section = "clusters" | "users" | "contexts";

export const SECTIONS: Readonly<Record<Section, string>> = {
  clusters: "cluster",
  users: "user",
  contexts: "context",
};

export interface KubeconfigDocument {
  readonly currentContext: string | undefined;
  readonly entries: Readonly<Record<Section, ReadonlyMap<string, ConfigEntry>>>;
}

/** @throws KubernetesClientError `CONFIG_INVALID` naming the file and what in it is wrong */
export function parseKubeconfig(text: string, file: string): KubeconfigDocument {
  const fault = (state: string, cause?: unknown): KubernetesClientError =>
    new KubernetesClientError("CONFIG_INVALID", `Cannot use kubeconfig "${file}": ${state}`, { cause });
  const parsed = yaml().parseDocument(text, { logLevel: "silent" });
  const [error] = parsed.errors;
  if (error !== undefined) {
    const { line, col } = error.linePos?.[0] ?? { line: 1, col: 1 };
    // The library's message quotes the line, which may hold a secret.
    throw fault(`line ${line}, column ${col} is not YAML`);
  }
  const document: unknown = parsed.toJS() ?? {};
  if (!isRecord(document)) throw fault("it is not a mapping");
  const { kind = "Config", apiVersion = "v1" } = document;
  if (kind !== "Config" || apiVersion !== "v1") {
    throw fault(`it holds ${JSON.stringify(kind)} of ${JSON.stringify(apiVersion)}, not a Config of v1`);
  }
  const current = document["current-context"] ?? "";
  if (typeof current !== "string") throw fault("current-context is not a text");
  const read = (section: Section): ReadonlyMap<string, ConfigEntry> =>
    readSection(document[section], section, file);
  return {
    currentContext: current === "" ? undefined : current,
    entries: { clusters: read("clusters"), users: read("users"), contexts: read("contexts") },
  };
}

/** A list of `{name, cluster: …}`; of two with one name the first counts. */
function readSection(list: unknown, section: Section, file: string): ReadonlyMap<string, ConfigEntry> {
  const found = new Map<string, ConfigEntry>();
  const word = SECTIONS[section];
  const whole = new ConfigEntry(file, section, {});
  if (list === undefined || list === null) return found;
  if (!Array.isArray(list)) throw whole.fault("is not a list");
  for (const [index, item] of (list as unknown[]).entries()) {
    const outer = new ConfigEntry(file, `${section}[${index}]`, item);
    const name = outer.text("name");
    if (name === undefined) throw outer.fault("has no name");
    if (!found.has(name)) found.set(name, new ConfigEntry(file, `${word} "${name}"`, outer.raw(word)));
  }
  return found;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
