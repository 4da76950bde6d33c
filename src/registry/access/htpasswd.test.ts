import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { hashSync } from "bcryptjs";

import type { RegistryError } from "../errors.ts";
import { parseHtpasswd } from "./htpasswd.ts";
import { openAccess } from "./open.ts";
import { AccessWorld, basic, bearer, CHEAP } from "./testing.ts";

const folder = await mkdtemp(join(tmpdir(), "dray-htpasswd-"));
after(() => rm(folder, { recursive: true }));

function lineOf(name: string, password: string, kind: "2a" | "2b" | "2y" = "2y"): string {
  return `${name}:${hashSync(password, CHEAP).replace("$2b$", `$${kind}$`)}`;
}

test("every kind of bcrypt that htpasswd programs write is taken", async () => {
  const htpasswd = join(folder, "kinds");
  const lines = (["2a", "2b", "2y"] as const).map((kind) => lineOf(`user${kind}`, "päss:wörd", kind));
  await writeFile(htpasswd, `# users\n\n${lines.join("\r\n")}\n`);
  await using world = await AccessWorld.open({ htpasswd });
  for (const kind of ["2a", "2b", "2y"]) {
    assert.equal((await world.send("GET", "/v2/", basic(`user${kind}`, "päss:wörd"))).status, 200, kind);
    assert.equal((await world.send("GET", "/v2/", basic(`user${kind}`, "pass:word"))).status, 401, kind);
  }
});

for (const [line, words] of [
  ["alice", /line 2: it is not NAME:HASH/],
  [":hash", /line 2: it is not NAME:HASH/],
  [
    "alice:{SHA}VBPuJHI7uixaa6LQGWx4s+5GKNE=",
    /hash of user "alice" is not bcrypt; write it anew with htpasswd -B/,
  ],
  ["alice:$apr1$r31.....$HqJZimcKQFAMYayBlzkrA/", /not bcrypt/],
  ["robot+ci:x", /are for robots/],
  [lineOf("bob", "x"), /user "bob" is there twice/],
] as const) {
  test(`a line that can't be used is named: ${line.slice(0, 20)}`, () => {
    const text = `${lineOf("bob", "secret")}\n${line}\n`;
    assert.throws(
      () => parseHtpasswd(text, "users"),
      (error: RegistryError) =>
        error.code === "CONFIG_INVALID" && words.test(error.message) && !error.message.includes("$2"),
    );
  });
}

test("a file that isn't there is named", async () => {
  await assert.rejects(openAccess({ htpasswd: join(folder, "none") }), (error: RegistryError) => {
    return error.code === "CONFIG_UNREADABLE" && error.message.includes("there is no such file");
  });
});

test("a changed file is read again; one that can't be used leaves what was there", async () => {
  const htpasswd = join(folder, "changing");
  await writeFile(htpasswd, lineOf("alice", "one"));
  await using world = await AccessWorld.open({ htpasswd });
  const probe = async (login: string, password: string): Promise<number> =>
    (await world.send("GET", "/v2/", basic(login, password))).status;
  assert.equal(await probe("alice", "one"), 200);
  await writeFile(htpasswd, `${lineOf("alice", "two")}\n${lineOf("bob", "three")}`);
  world.pass(2_000);
  assert.equal(await probe("alice", "one"), 401, "the first who comes after the change hears of it");
  assert.equal(await probe("bob", "three"), 200);
  assert.equal(await probe("alice", "two"), 200);
  await writeFile(htpasswd, "broken");
  world.pass(2_000);
  assert.equal(await probe("alice", "two"), 200);
  assert.match((world.failures[0] as RegistryError).message, /line 1/);
});

test("who is taken out of the file is out with the next request, by password and by token", async () => {
  const htpasswd = join(folder, "leaving");
  await writeFile(htpasswd, lineOf("alice", "one"));
  const config = { htpasswd, tokens: {}, realm: "registry.test" };
  for (const way of ["password", "token"]) {
    await writeFile(htpasswd, lineOf("alice", "one"));
    await using world = await AccessWorld.open(config);
    const { access_token: token } = await world.token("repository:app:pull", basic("alice", "one"));
    const login = way === "password" ? basic("alice", "one") : bearer(token);
    assert.equal((await world.send("GET", "/v2/", login)).status, 200);
    await writeFile(htpasswd, "# nobody\n");
    world.pass(1_000);
    assert.equal((await world.send("GET", "/v2/", login)).status, 401, way);
  }
});
