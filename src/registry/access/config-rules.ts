import type { ConfigReader, Path } from "./config-reader.ts";
import { RepositoryPattern } from "./pattern.ts";
import { ACTIONS, type Rule, type Subject } from "./policy.ts";

/** Where nobody said anything else: who has a login may do everything, nobody else anything. */
const USERS_MAY_ALL: Rule = {
  label: "the rule for registries without policies",
  effect: "allow",
  repositories: [RepositoryPattern.parse("**") as RepositoryPattern],
  actions: ACTIONS,
  subjects: [{ kind: "users" }],
};

/** Names of groups by member: `alice`, `robot:ci`. */
export function readGroups(reader: ConfigReader, value: unknown): ReadonlyMap<string, readonly string[]> {
  const byMember = new Map<string, string[]>();
  for (const [name, members] of Object.entries(reader.record(value, ["groups"]))) {
    for (const member of new Set(reader.texts(members, ["groups", name]))) {
      byMember.set(member, [...(byMember.get(member) ?? []), name]);
    }
  }
  return byMember;
}

export function readRules(reader: ConfigReader, value: unknown): readonly Rule[] {
  if (value === undefined) return [USERS_MAY_ALL];
  return reader.list(value, ["policies"]).flatMap((one, index): Rule[] => {
    const path: Path = ["policies", index];
    const known = ["name", "effect", "repositories", "actions", "subjects"];
    const entry = reader.object(one, path, known);
    if (entry === undefined) return [];
    const some = (name: string): readonly string[] => {
      const texts = reader.texts(entry[name], [...path, name]);
      if (entry[name] === undefined || (Array.isArray(entry[name]) && entry[name].length === 0)) {
        reader.fault([...path, name], "is missing or empty; a policy says what, where and who");
      }
      return texts;
    };
    const name = reader.text(entry["name"], [...path, "name"]);
    return [
      {
        label: name === undefined ? `policy ${index + 1}` : `policy ${JSON.stringify(name)}`,
        effect: reader.oneOf(entry["effect"], [...path, "effect"], ["allow", "deny"]) ?? "allow",
        repositories: some("repositories").flatMap((text, at) => {
          const pattern = RepositoryPattern.parse(text);
          if (pattern instanceof RepositoryPattern) return [pattern];
          return reader.fault([...path, "repositories", at], pattern.fault) ?? [];
        }),
        actions: some("actions").flatMap((action, at) => {
          return reader.oneOf(action, [...path, "actions", at], ACTIONS) ?? [];
        }),
        subjects: some("subjects").flatMap((text, at) => {
          return readSubject(reader, text, [...path, "subjects", at]) ?? [];
        }),
      },
    ];
  });
}

/** Any name will do: users come and go, and groups are known to other issuers, too. */
function readSubject(reader: ConfigReader, text: string, path: Path): Subject | undefined {
  if (text === "everyone" || text === "users") return { kind: text };
  const [, kind, name = ""] = /^(user|group|robot):(.+)$/s.exec(text) ?? [];
  const quoted = JSON.stringify(text);
  if (kind === undefined) {
    return reader.fault(path, `is ${quoted}; write everyone, users, user:NAME, group:NAME or robot:NAME`);
  }
  return { kind: kind as "user" | "group" | "robot", name };
}
