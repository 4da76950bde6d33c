import type { ConfigReader, Path } from "../access/config-reader.ts";
import type { CollectionSettings } from "../collect/collector.ts";
import type { RetentionRule } from "../collect/retention.ts";
import { readPatterns, readTagPatterns, requireOne } from "./read-limits.ts";

const HOUR = 60 * 60 * 1_000;
const KEEPS = ["keepLast", "keepWithin", "keepTags"];
const WAYS = [...KEEPS, "untaggedAfter", "danglingAfter"];
const RULE = ["repositories", "tags", ...WAYS];

/** A registry that serves collects its garbage now and then, unless it is told not to. */
export function readCollection(reader: ConfigReader, value: unknown, retention: unknown): CollectionSettings {
  const rules = reader
    .list(retention, ["retention"])
    .flatMap((one, index) => readRule(reader, one, ["retention", index]));
  if (value === false) return { retention: rules };
  const collection = reader.object(value, ["collection"], ["every", "grace", "timeLimit"]) ?? {};
  const at = (name: string): Path => ["collection", name];
  const grace = reader.duration(collection["grace"], at("grace"), 0);
  const timeLimit = reader.duration(collection["timeLimit"], at("timeLimit"), 1_000);
  return {
    every: reader.duration(collection["every"], at("every"), 1_000) ?? HOUR,
    retention: rules,
    grace,
    timeLimit,
  };
}

function readRule(reader: ConfigReader, value: unknown, path: Path): RetentionRule[] {
  const rule = reader.object(value, path, RULE);
  if (rule === undefined) return [];
  const at = (name: string): Path => [...path, name];
  if (rule["repositories"] === undefined) {
    reader.fault(at("repositories"), 'is missing; write ["**"] for all of them');
  }
  requireOne(reader, rule, { path, names: WAYS });
  if (rule["tags"] !== undefined && KEEPS.every((name) => rule[name] === undefined)) {
    reader.fault(at("tags"), `says nothing without ${KEEPS.slice(0, -1).join(", ")} or ${KEEPS.at(-1)}`);
  }
  const tags = (name: string): readonly string[] | undefined =>
    rule[name] === undefined ? undefined : readTagPatterns(reader, rule[name], at(name));
  const duration = (name: string): number | undefined => reader.duration(rule[name], at(name), 0);
  return [
    {
      repositories: readPatterns(reader, rule["repositories"], at("repositories")),
      tags: tags("tags"),
      keepLast: reader.count(rule["keepLast"], at("keepLast"), 0),
      keepWithin: duration("keepWithin"),
      keepTags: tags("keepTags"),
      untaggedAfter: duration("untaggedAfter"),
      danglingAfter: duration("danglingAfter"),
    },
  ];
}
