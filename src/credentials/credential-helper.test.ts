import assert from "node:assert/strict";
import { chmod, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { Secret } from "../internal/secret.ts";
import { CredentialHelper } from "./credential-helper.ts";
import type { ProgramResult, RunProgram } from "./run-program.ts";

function helper(answer: Partial<ProgramResult>, seen: string[] = []): CredentialHelper {
  const run: RunProgram = ([, verb], input) => {
    seen.push(`${verb} ${input}`);
    return Promise.resolve({ code: 0, stdout: "", stderr: "", ...answer });
  };
  return new CredentialHelper("test", { env: {}, run });
}

test("get() reads a user, an identity token, or nothing", async () => {
  const basic = await helper({ stdout: '{"ServerURL":"r.test","Username":"u","Secret":"p"}' }).get("r.test");
  assert.equal(basic?.kind === "basic" && `${basic.username}:${basic.password.reveal()}`, "u:p");
  const token = await helper({ stdout: '{"Username":"<token>","Secret":"id"}' }).get("r.test");
  assert.equal(token?.kind === "identity-token" && token.token.reveal(), "id");
  const none = helper({ code: 1, stdout: "credentials not found in native keychain\n" });
  assert.equal(await none.get("r.test"), undefined);
  assert.equal(await helper({ stdout: "{}" }).get("r.test"), undefined);
});

test("get() tells of a failure, and never what looks like a secret", async () => {
  await assert.rejects(helper({ code: 2, stdout: "keychain locked" }).get("r.test"), {
    code: "HELPER_FAILED",
    message: 'Cannot get with "docker-credential-test": exit code 2, keychain locked',
  });
  for (const stdout of ['{"Secret":"hunter2"', '{"Username":1,"Secret":"hunter2"}', '["hunter2"]']) {
    for (const code of [0, 1]) {
      await assert.rejects(
        helper({ code, stdout: stdout.startsWith("[") && code === 1 ? `{${stdout}` : stdout }).get("r.test"),
        (error: Error & { code: string }) =>
          error.code === "HELPER_FAILED" && !error.message.includes("hunter2"),
      );
    }
  }
});

test("store() hands everything over on stdin and hides the secret in a failure", async () => {
  const seen: string[] = [];
  const credential = { kind: "basic", username: "u", password: new Secret("hunter2") } as const;
  await helper({}, seen).store("r.test", credential);
  assert.deepEqual(seen, ['store {"ServerURL":"r.test","Username":"u","Secret":"hunter2"}']);
  await assert.rejects(helper({ code: 1, stderr: "cannot keep hunter2" }).store("r.test", credential), {
    message: 'Cannot store with "docker-credential-test": exit code 1, cannot keep [secret]',
  });
});

test("erase() and list() follow the protocol", async () => {
  assert.equal(await helper({}).erase("r.test"), true);
  assert.equal(
    await helper({ code: 1, stdout: "credentials not found in native keychain" }).erase("r.test"),
    false,
  );
  assert.deepEqual(await helper({ stdout: '{"r.test":"u"}' }).list(), new Map([["r.test", "u"]]));
});

test("a suffix can't name a program elsewhere", () => {
  for (const suffix of ["", "../x", "a/b", "a b", "-x"]) {
    assert.throws(() => new CredentialHelper(suffix, { env: {} }), { code: "CONFIG_INVALID" });
  }
});

test("a real program is run without a shell, within its time, with the signal heard", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-helper-"));
  t.after(() => rm(folder, { recursive: true }));
  const script = async (name: string, body: string): Promise<void> => {
    const path = join(folder, `docker-credential-${name}`);
    await writeFile(path, `#!${process.execPath}\n${body}`);
    await chmod(path, 0o755);
  };
  await script(
    "echo",
    `let text = ""; process.stdin.on("data", (d) => (text += d)).on("end", () =>
      console.log(JSON.stringify({ ServerURL: text, Username: process.argv[2] + " " + text, Secret: "s" })));`,
  );
  await script("hang", "setInterval(() => {}, 1000);");
  const env = { PATH: folder };
  const found = await new CredentialHelper("echo", { env }).get("r.test; $(id)");
  assert.equal(found?.kind === "basic" && found.username, "get r.test; $(id)");

  await assert.rejects(new CredentialHelper("hang", { env, timeout: 50 }).get("r.test"), {
    code: "HELPER_FAILED",
    message: /no answer within 0.05 s/,
  });
  const controller = new AbortController();
  const waiting = new CredentialHelper("hang", { env }).get("r.test", { signal: controller.signal });
  setImmediate(() => controller.abort());
  await assert.rejects(waiting, { name: "AbortError" });
  await assert.rejects(new CredentialHelper("missing", { env }).get("r.test"), {
    code: "HELPER_MISSING",
    message: 'Cannot run "docker-credential-missing": not found in PATH',
  });
});
