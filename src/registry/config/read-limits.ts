import type { ConfigReader, Path } from "../access/config-reader.ts";
import { RepositoryPattern } from "../access/pattern.ts";
import { isRepositoryName } from "../../oci/index.ts";
import type { LimitRule, SharedQuota } from "../limits.ts";
import { findTagPatternFault } from "../tag-pattern.ts";
import type { LimitsSettings } from "./config.ts";

const BOUNDS = ["maxManifestSize", "maxBlobSize", "maxBytes", "maxTags", "immutableTags"];

export function readLimits(reader: ConfigReader, value: unknown): LimitsSettings {
  const limits = reader.object(value, ["limits"], ["manifest", "blob", "rules", "quotas"]) ?? {};
  const rules = reader.list(limits["rules"], ["limits", "rules"]);
  const quotas = reader.list(limits["quotas"], ["limits", "quotas"]);
  return {
    maxManifestSize: reader.size(limits["manifest"], ["limits", "manifest"]),
    maxBlobSize: reader.size(limits["blob"], ["limits", "blob"]),
    rules: rules.flatMap((one, index) => readRule(reader, one, ["limits", "rules", index])),
    quotas: quotas.flatMap((one, index) => readQuota(reader, one, ["limits", "quotas", index])),
  };
}

/** Patterns of repositories, each checked. */
export function readPatterns(reader: ConfigReader, value: unknown, path: Path): readonly string[] {
  const texts = reader.texts(value, path);
  if (Array.isArray(value) && value.length === 0)
    reader.fault(path, 'is empty; write ["**"] for all of them');
  for (const [index, text] of texts.entries()) {
    const pattern = RepositoryPattern.parseWithoutUser(text);
    if ("fault" in pattern) reader.fault([...path, index], pattern.fault);
  }
  return texts;
}

/** Patterns of tags, each checked. */
export function readTagPatterns(reader: ConfigReader, value: unknown, path: Path): readonly string[] {
  const texts = reader.texts(value, path);
  for (const [index, text] of texts.entries()) {
    const fault = findTagPatternFault(text);
    if (fault !== undefined) reader.fault([...path, index], fault);
  }
  return texts;
}

function readRule(reader: ConfigReader, value: unknown, path: Path): LimitRule[] {
  const rule = reader.object(value, path, ["repositories", ...BOUNDS]);
  if (rule === undefined) return [];
  const at = (name: string): Path => [...path, name];
  if (rule["repositories"] === undefined) {
    reader.fault(at("repositories"), 'is missing; write ["**"] for all of them');
  }
  requireOne(reader, rule, { path, names: BOUNDS });
  return [
    {
      repositories: readPatterns(reader, rule["repositories"], at("repositories")),
      maxManifestSize: reader.size(rule["maxManifestSize"], at("maxManifestSize")),
      maxBlobSize: reader.size(rule["maxBlobSize"], at("maxBlobSize")),
      maxBytes: reader.size(rule["maxBytes"], at("maxBytes")),
      maxTags: reader.count(rule["maxTags"], at("maxTags"), 0),
      immutableTags: readTagPatterns(reader, rule["immutableTags"], at("immutableTags")),
    },
  ];
}

function readQuota(reader: ConfigReader, value: unknown, path: Path): SharedQuota[] {
  const quota = reader.object(value, path, ["under", "maxBytes", "maxTags"]);
  if (quota === undefined) return [];
  const at = (name: string): Path => [...path, name];
  const under = reader.text(quota["under"], at("under"));
  if (quota["under"] === undefined) reader.fault(at("under"), "is missing; write what the names begin with");
  if (under !== undefined && !isRepositoryName(under)) {
    reader.fault(
      at("under"),
      "is not the beginning of repositories; write team, or team/part, without a slash after it",
    );
  }
  requireOne(reader, quota, { path, names: ["maxBytes", "maxTags"] });
  return [
    {
      under: under ?? "",
      maxBytes: reader.size(quota["maxBytes"], at("maxBytes")),
      maxTags: reader.count(quota["maxTags"], at("maxTags"), 0),
    },
  ];
}

/** A rule that bounds nothing was meant otherwise. */
export function requireOne(
  reader: ConfigReader,
  rule: Readonly<Record<string, unknown>>,
  { path, names }: { readonly path: Path; readonly names: readonly string[] },
): void {
  if (names.some((name) => rule[name] !== undefined)) return;
  reader.fault(path, `says nothing; add ${names.slice(0, -1).join(", ")} or ${names.at(-1)}`);
}
