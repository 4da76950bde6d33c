/** `dray registry check-config`: what a restart would stumble over is known before it. */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";

import { run } from "../../src/cli/run.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { makeWorkFolder } from "./registry-command.ts";

test("every file that a configuration names is looked at, and nothing is opened for serving", async (t) => {
  const folder = makeWorkFolder(t);
  const check = async (text: string): Promise<{ code: number; said: string }> => {
    writeFileSync(join(folder, "registry.yaml"), text);
    const context = createMemoryContext({ cwd: folder, home: folder });
    const code = await run(["registry", "check-config", "registry.yaml"], context);
    return { code, said: context.stdout.text + context.stderr.text };
  };
  const upstream = (rest: string): string => `mirror: { upstreams: [{ registry: r.example, ${rest} }] }\n`;
  const login = "credentials: { username: me, passwordFile: password }";
  const hook = "notifications: [{ name: a, url: http://h.example, headerFiles: { Authorization: token } }]\n";
  for (const [text, fault] of [
    [upstream(login), /Cannot log in to "r\.example": cannot read the password from ".*password"/],
    [upstream("tls: { ca: ca.pem }"), /ca\.pem/],
    [hook, /Cannot read header "Authorization" from ".*token": it is not there or not readable/],
    ["access: { htpasswd: users }", /Cannot read users from ".*users": there is no such file/],
    ["listen: { tls: { certificate: a.crt, key: a.key } }", /a\.crt/],
  ] as const) {
    const { code, said } = await check(text);
    assert.match(said, fault);
    assert.notEqual(code, 0, text);
  }
  for (const name of ["password", "token", "users"]) writeFileSync(join(folder, name), "");
  const { code, said } = await check(`${upstream(login)}${hook}access: { htpasswd: users }\n`);
  assert.match(said, /registry\.yaml is good\n$/);
  assert.equal(code, 0);
});
