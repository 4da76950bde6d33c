import assert from "node:assert/strict";
import { describe, test } from "node:test";
import fc from "fast-check";

import { RepositoryPattern } from "./pattern.ts";

function parse(text: string): RepositoryPattern {
  const pattern = RepositoryPattern.parse(text);
  assert.ok(pattern instanceof RepositoryPattern, text);
  return pattern;
}

describe("a pattern matches", () => {
  for (const [text, yes, no] of [
    ["team/app", ["team/app"], ["team", "team/app/x", "team/apps", "xteam/app"]],
    ["team/*", ["team/app", "team/a-b.c"], ["team", "team/app/x", "teams/app"]],
    ["team/**", ["team", "team/app", "team/app/web/x"], ["teams", "teamwork/app", "a/team/app"]],
    ["**", ["a", "a/b/c"], []],
    ["**/web", ["web", "a/web", "a/b/web"], ["a/webs", "web/a"]],
    ["a/**/z", ["a/z", "a/b/z", "a/b/z/z"], ["a", "z", "a/b", "a/zz"]],
    ["**/a/**/b", ["a/b", "x/a/y/b", "a/a/b/b"], ["b/a", "a"]],
    ["*-dev/*", ["a-dev/x", "-dev/x"], ["a-dev", "a-dev/x/y", "a-devs/x"]],
    ["a*b*c", ["abc", "axxbxxc", "abcbc"], ["ac", "acb", "abcd"]],
    ["a*a", ["aa", "axa"], ["a"]],
  ] as const) {
    test(text, () => {
      const pattern = parse(text);
      assert.deepEqual(
        [...yes, ...no].filter((name) => pattern.matches(name, undefined)),
        yes,
      );
    });
  }
});

test("{user} is the caller's name, and never a pattern of its own", () => {
  const pattern = parse("users/{user}/**");
  assert.equal(pattern.matches("users/alice/app", "alice"), true);
  assert.equal(pattern.matches("users/alice", "alice"), true);
  assert.equal(pattern.matches("users/alice/app", "bob"), false);
  assert.equal(pattern.matches("users/alice/app", undefined), false);
  for (const strange of ["*", "**", "a/b", "", "{user}", "$&", "Alice"]) {
    assert.equal(pattern.matches("users/alice/app", strange), false, strange);
    assert.equal(pattern.matches(`users/${strange}/app`, strange), false, strange);
  }
  assert.equal(parse("{user}-*").matches("bob-app", "bob"), true);
  assert.equal(parse("{user}-*").matches("bobby-app", "bob"), false);
});

test("a pattern that can't be says why", () => {
  for (const text of ["", "/a", "a/", "a//b", "a**", "A", "a b", "a/{name}", "a:b", "ü"]) {
    assert.ok("fault" in RepositoryPattern.parse(text), text);
  }
});

test("everything a pattern matches begins with its prefix", () => {
  assert.equal(parse("team/a*/b").prefixFor(undefined), "team/a");
  assert.equal(parse("**").prefixFor(undefined), "");
  assert.equal(parse("team/**").prefixFor(undefined), "team");
  assert.equal(parse("users/{user}/*").prefixFor("bob"), "users/bob/");
  assert.equal(parse("users/{user}/*").prefixFor(undefined), undefined);
  const part = fc.constantFrom("a", "b", "*", "a*", "*b", "**", "{user}", "ab");
  const name = fc.array(fc.constantFrom("a", "b", "ab", "ba"), { minLength: 1, maxLength: 5 });
  const patterns = fc.array(part, { minLength: 1, maxLength: 5 });
  const property = fc.property(
    patterns,
    name,
    fc.constantFrom("a", "ab", undefined),
    (parts, names, user) => {
      const [pattern, repository] = [parse(parts.join("/")), names.join("/")];
      const matches = pattern.matches(repository, user);
      assert.equal(matches, matchesPlainly(parts, names, user));
      const prefix = pattern.prefixFor(user);
      if (matches) assert.ok(prefix !== undefined && repository.startsWith(prefix));
    },
  );
  fc.assert(property, { numRuns: 3_000 });
});

/** The grammar said again, as slowly as it can be said. */
function matchesPlainly(
  parts: readonly string[],
  names: readonly string[],
  user: string | undefined,
): boolean {
  const [part, ...others] = parts;
  if (part === undefined) return names.length === 0;
  if (part === "**") {
    return [...names, ""].some((_, count) => matchesPlainly(others, names.slice(count), user));
  }
  const [name, ...rest] = names;
  if (name === undefined || (part.includes("{user}") && user === undefined)) return false;
  const pattern = new RegExp(`^${part.replaceAll("{user}", user ?? "").replaceAll("*", ".*")}$`);
  return pattern.test(name) && matchesPlainly(others, rest, user);
}
