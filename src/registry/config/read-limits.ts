import type { ConfigReader, Path } from "../access/config-reader.ts";
import { RepositoryPattern } from "../access/pattern.ts";
import type { LimitRule, SharedQuota } from "../limits.ts";
import type { LimitsSettings } from "./config.ts";

const RULE = ["repositories", "maxManifestSize", "maxBlobSize", "maxBytes", "maxTags", "immutableTags"];

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
  for (const [index, text] of texts.entries()) {
    const pattern = RepositoryPattern.parse(text);
    if (!(pattern instanceof RepositoryPattern)) reader.fault([...path, index], pattern.fault);
  }
  return texts;
}

function readRule(reader: ConfigReader, value: unknown, path: Path): LimitRule[] {
  const rule = reader.object(value, path, RULE);
  if (rule === undefined) return [];
  const at = (name: string): Path => [...path, name];
  if (rule["repositories"] === undefined) {
    reader.fault(at("repositories"), 'is missing; write ["**"] for all of them');
  }
  return [
    {
      repositories: readPatterns(reader, rule["repositories"], at("repositories")),
      maxManifestSize: reader.size(rule["maxManifestSize"], at("maxManifestSize")),
      maxBlobSize: reader.size(rule["maxBlobSize"], at("maxBlobSize")),
      maxBytes: reader.size(rule["maxBytes"], at("maxBytes")),
      maxTags: reader.count(rule["maxTags"], at("maxTags"), 0),
      immutableTags: reader.texts(rule["immutableTags"], at("immutableTags")),
    },
  ];
}

function readQuota(reader: ConfigReader, value: unknown, path: Path): SharedQuota[] {
  const quota = reader.object(value, path, ["under", "maxBytes", "maxTags"]);
  if (quota === undefined) return [];
  const at = (name: string): Path => [...path, name];
  if (quota["under"] === undefined) reader.fault(at("under"), "is missing; write what the names begin with");
  return [
    {
      under: reader.text(quota["under"], at("under")) ?? "",
      maxBytes: reader.size(quota["maxBytes"], at("maxBytes")),
      maxTags: reader.count(quota["maxTags"], at("maxTags"), 0),
    },
  ];
}
