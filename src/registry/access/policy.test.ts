import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";

import { seek } from "../access.ts";
import { visibleRepositories } from "../visible.ts";
import { decideRequest, viewFor, type Identity } from "./decide-request.ts";
import { RepositoryPattern } from "./pattern.ts";
import { ACTIONS, ANONYMOUS, decideAccess, viewOf, type Action, type Caller, type Policy } from "./policy.ts";
import type { Rule, Subject } from "./policy.ts";
import { formatScope, GrantedScopes, grantScopes, parseScopes, type Scope } from "./scope.ts";

const SUBJECTS: readonly Subject[] = [
  { kind: "everyone" },
  { kind: "users" },
  { kind: "user", name: "alice" },
  { kind: "user", name: "ci" },
  { kind: "robot", name: "ci" },
  { kind: "group", name: "dev" },
];
const CALLERS: readonly Caller[] = [
  ANONYMOUS,
  { kind: "user", name: "alice", groups: ["dev"] },
  { kind: "user", name: "bob", groups: [] },
  { kind: "robot", name: "ci", groups: [], grants: [{ repositories: patterns("ci/**"), actions: ["pull"] }] },
  { kind: "robot", name: "alice", groups: ["dev"] },
];
const NAMES = ["a", "a/b", "a/b/c", "a-b", "ab", "alice", "alice/a", "b", "ci/x", "team/app", "z"];
const PATTERNS = ["**", "a/**", "a/*", "a*", "{user}/**", "**/b", "team/*", "z", "ci/x"];

function patterns(...texts: readonly string[]): readonly RepositoryPattern[] {
  return texts.map((text) => RepositoryPattern.parse(text) as RepositoryPattern);
}

const actions = fc.subarray([...ACTIONS], { minLength: 1 });
const rule: fc.Arbitrary<Rule> = fc
  .record({
    effect: fc.constantFrom("allow", "allow", "deny"),
    subjects: fc.subarray([...SUBJECTS], { minLength: 1 }),
    texts: fc.subarray(PATTERNS, { minLength: 1, maxLength: 3 }),
    actions,
  })
  .map(({ texts, ...rest }) => ({ ...rest, label: "rule", repositories: patterns(...texts) }));
const policy: fc.Arbitrary<Policy> = fc.array(rule, { maxLength: 6 }).map((rules) => ({ rules }));
const caller = fc.constantFrom(...CALLERS);
const repository = fc.constantFrom(...NAMES);
const action = fc.constantFrom(...ACTIONS);

/** The same said again: somebody allows it, nobody denies it. */
function plainly(rules: readonly Rule[], who: Caller, name: string, what: Action): boolean {
  const user = who.kind === "user" ? who.name : undefined;
  const isHim: Record<Subject["kind"], (subject: Subject & { readonly name?: string }) => boolean> = {
    everyone: () => true,
    users: () => who.kind === "user",
    user: (subject) => who.kind === "user" && who.name === subject.name,
    robot: (subject) => who.kind === "robot" && who.name === subject.name,
    group: (subject) => who.groups.includes(subject.name ?? ""),
  };
  const speaking = rules
    .filter(
      (one) => one.actions.includes(what) && one.subjects.some((subject) => isHim[subject.kind](subject)),
    )
    .filter((one) => one.repositories.some((pattern) => pattern.matches(name, user)));
  const granted = who.grants?.some(
    (grant) => grant.actions.includes(what) && grant.repositories.some((one) => one.matches(name, user)),
  );
  const allowed = granted === true || speaking.some((one) => one.effect === "allow");
  return allowed && speaking.every((one) => one.effect === "allow");
}

test("decideAccess() allows what some rule allows and none denies, in whichever order they stand", () => {
  const property = fc.property(policy, caller, repository, action, (given, who, name, what) => {
    const verdict = decideAccess(given, who, { repository: name, action: what });
    assert.equal(verdict.allowed, plainly(given.rules, who, name, what));
    const turned = { rules: given.rules.toReversed() };
    assert.equal(decideAccess(turned, who, { repository: name, action: what }).allowed, verdict.allowed);
    assert.notEqual(verdict.reason, "");
  });
  fc.assert(property, { numRuns: 5_000 });
});

test("a view shows what may be pulled, each once and in order, whatever page it begins on", async () => {
  const sorted = NAMES.toSorted();
  const list = async (page: { after?: string | undefined; limit: number }): Promise<string[]> =>
    sorted.filter((name) => name > (page.after ?? "")).slice(0, page.limit);
  const after = fc.option(fc.constantFrom(...NAMES, "aa", "0", "zz"), { nil: undefined });
  const property = fc.asyncProperty(
    policy,
    caller,
    after,
    fc.integer({ min: 1, max: 5 }),
    async (...given) => {
      const [rules, who, start, fetch] = given;
      const view = viewOf(rules, who);
      const seen: string[] = [];
      for await (const name of visibleRepositories(view, list, { after: start, fetch })) seen.push(name);
      const expected = sorted.filter(
        (name) => name > (start ?? "") && plainly(rules.rules, who, name, "pull"),
      );
      assert.deepEqual(seen, expected);
    },
  );
  await fc.assert(property, { numRuns: 3_000 });
});

test("seek() skips to the next prefix and ends after the last", () => {
  const view = { sees: () => true, prefixes: ["b/", "team", "z"] };
  assert.equal(seek(view, ""), "b.~");
  assert.equal(seek(view, "b/x"), "b/x");
  assert.equal(seek(view, "c"), "teal~");
  assert.equal(seek(view, "teams"), "teams");
  assert.equal(seek(view, "tean"), "y~");
  assert.equal(seek(view, "zz"), "zz");
  assert.equal(seek(view, "~"), undefined);
  assert.equal(seek({ ...view, prefixes: [] }, ""), undefined);
});

test("a lister that may see little reads little of a long list", async () => {
  const view = { sees: (name: string) => name.startsWith("team/"), prefixes: ["team/"] };
  const all = [
    ...Array.from({ length: 10_000 }, (_, at) => `a/${String(at).padStart(5, "0")}`),
    "team/x",
    "z/y",
  ];
  let read = 0;
  const list = async (page: { after?: string | undefined; limit: number }): Promise<string[]> => {
    const found = all.filter((name) => name > (page.after ?? "")).slice(0, page.limit);
    read += found.length;
    return found;
  };
  const seen: string[] = [];
  for await (const name of visibleRepositories(view, list)) seen.push(name);
  assert.deepEqual(seen, ["team/x"]);
  assert.ok(read < 10, `${read} names read`);
});

test("a token's scopes are what was asked and what is allowed, never more", () => {
  const scope: fc.Arbitrary<Scope> = fc.record({
    type: fc.constantFrom("repository", "repository", "registry", "other"),
    name: fc.constantFrom(...NAMES, "catalog", "A:b"),
    actions: fc.subarray(["pull", "push", "delete", "*", "fly"]),
  });
  const property = fc.property(policy, caller, fc.array(scope, { maxLength: 5 }), (given, who, asked) => {
    const granted = new GrantedScopes(grantScopes(given, who, asked));
    for (const name of NAMES) {
      for (const what of ACTIONS) {
        const wanted = asked.some(
          (one) =>
            one.type === "repository" &&
            one.name === name &&
            (one.actions.includes(what) || one.actions.includes("*")),
        );
        const expected = wanted && plainly(given.rules, who, name, what);
        assert.equal(granted.has("repository", name, what), expected, `${name} ${what}`);
      }
    }
    assert.equal(granted.has("other", "a", "pull"), false);
  });
  fc.assert(property, { numRuns: 3_000 });
});

test("a request with a token gets what token and policy both give; with a login, what the policy gives", () => {
  const wanted = { type: "repository", name: "a/b", actions: ["pull", "push"] } as const;
  const property = fc.property(policy, policy, caller, (then, now, who) => {
    const scopes = grantScopes(then, who, [wanted]);
    const token: Identity = {
      via: "token",
      caller: who,
      granted: new GrantedScopes(scopes),
      authority: "policy",
    };
    const may = (rules: Policy): boolean =>
      wanted.actions.every((what) => plainly(rules.rules, who, "a/b", what));
    const verdict = decideRequest(now, token, [wanted]);
    assert.equal(verdict.allowed, may(now) && may(then));
    if (!verdict.allowed) {
      assert.equal(verdict.status, !may(now) && who.kind !== "anonymous" ? 403 : 401);
      assert.equal(verdict.renewable, may(now));
    }
    const login: Identity = who.kind === "anonymous" ? { via: "nothing" } : { via: "login", caller: who };
    assert.equal(decideRequest(now, login, [wanted]).allowed, may(now));
  });
  fc.assert(property, { numRuns: 3_000 });
});

test("where another issuer decides, its word is what counts", () => {
  const granted = new GrantedScopes(parseScopes("repository:a:pull repository:b:push repository:c:*") ?? []);
  const identity: Identity = {
    via: "token",
    caller: { kind: "user", name: "x", groups: [] },
    granted,
    authority: "issuer",
  };
  const may = (name: string, what: Action): boolean =>
    decideRequest({ rules: [] }, identity, [{ type: "repository", name, actions: [what] }]).allowed;
  assert.deepEqual(
    [may("a", "pull"), may("a", "push"), may("b", "pull"), may("c", "delete"), may("d", "pull")],
    [true, false, false, true, false],
  );
  const view = viewFor({ rules: [] }, identity);
  assert.deepEqual(
    NAMES.filter((name) => view.sees(name) === true),
    ["a"],
  );
});

test("scopes are read as the grammar says, colons in names included", () => {
  for (const text of [
    "repository:a/b:pull",
    "repository:localhost:5000/a/b:pull,push",
    "registry:catalog:*",
    "repository(plugin):a:pull",
  ]) {
    assert.equal(parseScopes(text)?.map(formatScope).join(" "), text);
  }
  assert.deepEqual(parseScopes("  a:b:c   d:e:f "), [
    { type: "a", name: "b", actions: ["c"] },
    { type: "d", name: "e", actions: ["f"] },
  ]);
  assert.deepEqual(parseScopes("a:b:"), [{ type: "a", name: "b", actions: [] }]);
  for (const bad of ["a", "a:b", ":b:c", "A:b:c", "a::c", "a:b:C"])
    assert.equal(parseScopes(bad), undefined, bad);
});
