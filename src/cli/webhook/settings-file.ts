/**
 * `dray webhook --config FILE`:
 *
 * ```yaml
 * alwaysPullImages: true
 * pinning:
 *   onFailure: refuse          # or last-known, admit: when a digest can't be had
 *   ttl: 5m                    # so long a digest is taken as it is
 *   stale: 1h                  # so much longer while it is looked up again
 *   keep: 7d                   # so long for last-known
 *   registries:                # the first that matches counts
 *     - { images: docker.io, onFailure: admit }
 *     - { images: "localhost:5000", pin: false }
 * policy:
 *   mode: enforce              # or warn
 *   allowed: [registry.example.com, docker.io/library/*]
 *   denied: [docker.io/library/alpine]
 *   forbidLatest: true
 *   requireDigest: true
 *   exemptNamespaces: [monitoring]
 * deadline: 9s                 # for one review; less where the API server waits less
 * ```
 */
import { PIN_FAILURES, type PinFailure, type PinRule, parseImagePattern } from "../../admission/index.ts";
import { DrayError } from "../../errors.ts";
import { yaml } from "../../internal/yaml.ts";
import { CliError } from "../errors.ts";
import { readDuration } from "../settings.ts";

export interface PinningSettings {
  readonly onFailure?: PinFailure | undefined;
  readonly ttl?: number | undefined;
  readonly stale?: number | undefined;
  readonly keep?: number | undefined;
  readonly registries: readonly PinRule[];
}

export interface PolicySettings {
  readonly mode?: "enforce" | "warn" | undefined;
  readonly allowed: readonly string[];
  readonly denied: readonly string[];
  readonly forbidLatest: boolean;
  readonly requireDigest: boolean;
  readonly exemptNamespaces: readonly string[];
}

/** What admission does; durations in milliseconds. */
export interface AdmissionSettings {
  readonly alwaysPullImages: boolean;
  readonly pinning?: PinningSettings | undefined;
  readonly policy?: PolicySettings | undefined;
  readonly deadline?: number | undefined;
}

/** @throws CliError `SETTINGS_INVALID` that names the file, the member and what it takes */
export function readAdmissionSettings(text: string, file: string): AdmissionSettings {
  const reader = new Reader(file);
  const root = reader.object(reader.parse(text), "", ["alwaysPullImages", "pinning", "policy", "deadline"]);
  return {
    alwaysPullImages: reader.flag(root, "alwaysPullImages") ?? false,
    pinning: readPinning(reader, root["pinning"]),
    policy: readPolicy(reader, root["policy"]),
    deadline: reader.duration(root, "deadline"),
  };
}

function readPinning(reader: Reader, value: unknown): PinningSettings | undefined {
  if (value === undefined || value === false) return undefined;
  const members = ["onFailure", "ttl", "stale", "keep", "registries"];
  const pinning = value === true ? {} : reader.object(value, "pinning", members);
  const rules = reader.list(pinning["registries"], "pinning.registries");
  return {
    onFailure: reader.choice(pinning["onFailure"], "pinning.onFailure", PIN_FAILURES),
    ttl: reader.duration(pinning, "pinning.ttl"),
    stale: reader.duration(pinning, "pinning.stale"),
    keep: reader.duration(pinning, "pinning.keep"),
    registries: rules.map((value_, index) => {
      const place = `pinning.registries[${index}]`;
      const rule = reader.object(value_, place, ["images", "pin", "onFailure"]);
      return {
        images: reader.pattern(rule["images"], `${place}.images`),
        pin: reader.flag(rule, `${place}.pin`),
        onFailure: reader.choice(rule["onFailure"], `${place}.onFailure`, PIN_FAILURES),
      };
    }),
  };
}

function readPolicy(reader: Reader, value: unknown): PolicySettings | undefined {
  if (value === undefined) return undefined;
  const members = ["mode", "allowed", "denied", "forbidLatest", "requireDigest", "exemptNamespaces"];
  const policy = reader.object(value, "policy", members);
  const patterns = (name: string): readonly string[] =>
    reader
      .list(policy[name], `policy.${name}`)
      .map((one, index) => reader.pattern(one, `policy.${name}[${index}]`));
  return {
    mode: reader.choice(policy["mode"], "policy.mode", ["enforce", "warn"]),
    allowed: patterns("allowed"),
    denied: patterns("denied"),
    forbidLatest: reader.flag(policy, "policy.forbidLatest") ?? false,
    requireDigest: reader.flag(policy, "policy.requireDigest") ?? false,
    exemptNamespaces: reader
      .list(policy["exemptNamespaces"], "policy.exemptNamespaces")
      .map((one, index) => reader.text(one, `policy.exemptNamespaces[${index}]`)),
  };
}

type Members = Readonly<Record<string, unknown>>;

/** Reads members by what they should be, and says which one isn't. */
class Reader {
  readonly #file: string;

  constructor(file: string) {
    this.#file = file;
  }

  parse(text: string): unknown {
    try {
      return yaml().parse(text) ?? {};
    } catch (error) {
      throw this.#invalid(error instanceof Error ? (error.message.split("\n", 1)[0] ?? "") : "it is no YAML");
    }
  }

  object(value: unknown, place: string, members: readonly string[]): Members {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      throw this.#wrong(place, "a mapping");
    }
    const unknown = Object.keys(value).find((name) => !members.includes(name));
    if (unknown === undefined) return value as Members;
    const full = place === "" ? unknown : `${place}.${unknown}`;
    throw this.#invalid(`there is no member ${JSON.stringify(full)}; there are ${members.join(", ")}`);
  }

  list(value: unknown, place: string): readonly unknown[] {
    if (value === undefined) return [];
    if (!Array.isArray(value)) throw this.#wrong(place, "a list");
    return value;
  }

  text(value: unknown, place: string): string {
    if (typeof value !== "string" || value === "") throw this.#wrong(place, "a text");
    return value;
  }

  /** @param place whose last part is the member's name */
  flag(from: Members, place: string): boolean | undefined {
    const value = from[place.slice(place.lastIndexOf(".") + 1)];
    if (value === undefined || typeof value === "boolean") return value;
    throw this.#wrong(place, "true or false");
  }

  duration(from: Members, place: string): number | undefined {
    const value = from[place.slice(place.lastIndexOf(".") + 1)];
    if (value === undefined) return undefined;
    try {
      return readDuration(this.text(value, place), place);
    } catch {
      throw this.#wrong(place, "a duration, as in 90s, 10m, 36h or 7d");
    }
  }

  choice<T extends string>(value: unknown, place: string, choices: readonly T[]): T | undefined {
    if (value === undefined) return undefined;
    const found = choices.find((choice) => choice === value);
    if (found === undefined) throw this.#wrong(place, choices.join(" or "));
    return found;
  }

  pattern(value: unknown, place: string): string {
    const text = this.text(value, place);
    try {
      return parseImagePattern(text).text;
    } catch (error) {
      if (error instanceof DrayError) throw this.#invalid(`${place}: ${error.message}`);
      throw error;
    }
  }

  #wrong(place: string, wanted: string): CliError {
    return this.#invalid(place === "" ? `it is not ${wanted}` : `${place} takes ${wanted}`);
  }

  #invalid(why: string): CliError {
    return new CliError("SETTINGS_INVALID", `Cannot use ${JSON.stringify(this.#file)} as settings: ${why}`);
  }
}
