import assert from "node:assert/strict";
import { appendFileSync, existsSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { open, type FileHandle } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { MEDIA_TYPES } from "../../oci/index.ts";
import { accessBy, type Authorize } from "../access.ts";
import { EMPTY_INDEX, TestRegistry } from "../testing.ts";
import { AccessLog, AccessLogFile, withoutSecrets } from "./access-log.ts";
import { AppendFile } from "./append-file.ts";
import { AuditLog, type AuditLogOptions } from "./audit-log.ts";

const folder = mkdtempSync(join(tmpdir(), "dray-logs-"));
after(() => rmSync(folder, { recursive: true }));

const FILE = { maxSize: 1_000_000, keep: 3, sync: "second" } as const;
const AUDIT: AuditLogOptions = { ...FILE, required: false, addressOf: () => "10.0.0.7", newId: () => "id" };

function linesOf(path: string): string[] {
  return readFileSync(path, "utf8").split("\n").slice(0, -1);
}

test("lines come in order, whole, and each is in the file when append() resolves", async () => {
  const path = join(folder, "order", "log");
  await using file = new AppendFile(path, { ...FILE, sync: "always" });
  const wanted = Array.from({ length: 200 }, (_, index) => `line ${index} ${"x".repeat(index)}`);
  const appended = wanted.map((line) => file.append(line));
  await appended[7];
  assert.ok(linesOf(path).includes(wanted[7] as string));
  await Promise.all(appended);
  assert.deepEqual(linesOf(path), wanted);
});

test("a file that has grown is set aside, and the oldest goes", async () => {
  const path = join(folder, "rotated");
  await using file = new AppendFile(path, { maxSize: 20, keep: 2, sync: "never" });
  for (const line of ["first line ...", "second line ..", "third line ...", "fourth line .."]) {
    await file.append(line);
  }
  assert.deepEqual(linesOf(path), ["fourth line .."]);
  assert.deepEqual(linesOf(`${path}.1`), ["third line ..."]);
  assert.deepEqual(linesOf(`${path}.2`), ["second line .."]);
  assert.equal(existsSync(`${path}.3`), false);
});

test("a line that a crash cut short doesn't swallow the next one; a file that was moved is left alone", async () => {
  const path = join(folder, "cut");
  appendFileSync(path, "whole\nhal");
  await using file = new AppendFile(path, FILE);
  await file.append("next");
  assert.deepEqual(linesOf(path), ["whole", "hal", "next"]);
  renameSync(path, `${path}.moved`);
  await file.reopen();
  await file.append("anew");
  assert.deepEqual(linesOf(path), ["anew"]);
  assert.deepEqual(linesOf(`${path}.moved`).at(-1), "next");
});

test("a file that is let go of while lines come loses none, however long their writing takes", async (t) => {
  const path = join(folder, "moving");
  await using probe = await open(join(folder, "probe"), "w");
  const methods = Object.getPrototypeOf(probe) as FileHandle;
  const write: unknown = Reflect.get(methods, "write");
  assert.ok(typeof write === "function");
  const gate = (): { begun: PromiseWithResolvers<void>; may: PromiseWithResolvers<void> } => ({
    begun: Promise.withResolvers(),
    may: Promise.withResolvers(),
  });
  const [one, two] = [gate(), gate()];
  const gates = [one, two];
  t.mock.method(methods, "datasync", async () => {});
  t.mock.method(methods, "write", async function (this: FileHandle, ...args: readonly unknown[]) {
    const next = gates.shift();
    next?.begun.resolve();
    await next?.may.promise;
    return (await Reflect.apply(write, this, args)) as unknown;
  });
  await using file = new AppendFile(path, { ...FILE, sync: "always" });
  const all = [file.append("first")];
  await one.begun.promise;
  all.push(file.append("second"), file.append("third"), file.reopen());
  one.may.resolve();
  await two.begun.promise;
  for (let turns = 0; turns < 10; turns++) await new Promise(setImmediate);
  two.may.resolve();
  await Promise.all(all);
  assert.deepEqual(linesOf(path), ["first", "second", "third"]);
});

test("a disk that is full is told with the file's name", async (t) => {
  if (process.platform !== "linux") return t.skip("needs /dev/full");
  const file = new AppendFile("/dev/full", { maxSize: 1_000, keep: 0, sync: "never" });
  await assert.rejects(file.append("line"), { code: "ENOSPC", path: "/dev/full" });
  await file.close();
});

test("the audit log tells changes and refused attempts, and nothing of reads and questions", async () => {
  const path = join(folder, "audit");
  await using audit = new AuditLog(path, AUDIT);
  const authorize: Authorize = (request, wanted) => {
    const caller = request.header("authorization");
    if (caller === undefined) return { allowed: false, status: 401, reason: "who are you?" };
    const deletes = wanted.some(({ actions }) => actions.includes("delete"));
    return deletes
      ? { allowed: false, status: 403, reason: "policy 2 denies it", caller }
      : { allowed: true, caller };
  };
  await using registry = new TestRegistry({ observers: [audit], access: accessBy(authorize) });
  const alice = { authorization: "alice", "user-agent": "crane" };
  const type = { "content-type": MEDIA_TYPES.ociIndex };
  assert.equal((await registry.put("/v2/app/manifests/1", EMPTY_INDEX, type)).status, 401);
  await registry.put("/v2/app/manifests/1", EMPTY_INDEX, { ...alice, ...type });
  await registry.send("GET", "/v2/app/manifests/1", undefined, alice);
  await registry.send("POST", "/v2/app/blobs/uploads/", undefined, alice);
  await registry.send("DELETE", "/v2/app/manifests/1", undefined, alice);
  await registry.put("/v2/app/manifests/2", { schemaVersion: 9 }, { ...alice, ...type });
  const records = linesOf(path).map((line) => JSON.parse(line) as Record<string, unknown>);
  const shown = records.map(({ action, kind, tags, caller, address, agent, decision, reason, status }) => {
    assert.deepEqual([caller, address, agent], ["alice", "10.0.0.7", "crane"]);
    return [action, kind, tags, decision, reason, status];
  });
  assert.deepEqual(shown, [
    ["push", "manifest", ["1"], "allowed", undefined, 201],
    ["delete", "tag", ["1"], "denied", "policy 2 denies it", 403],
    ["push", "manifest", ["2"], "failed", undefined, 400],
  ]);
  assert.match(String(records[0]?.["digest"]), /^sha256:/);
  assert.equal(records[1]?.["digest"], records[0]?.["digest"]);
  assert.equal(records[0]?.["time"], new Date(1_000_000).toISOString());
});

test("where the audit log is required, nothing changes while it can't be written, and goes on once it can", async () => {
  const place = join(folder, "blocked");
  appendFileSync(place, "in the way");
  await using audit = new AuditLog(join(place, "audit"), { ...AUDIT, required: true });
  await using registry = new TestRegistry({ observers: [audit] });
  const digest = await registry.pushBlob("app", "the first is done before anybody knows");
  assert.equal(registry.failures.length, 1);
  assert.equal((await registry.send("DELETE", `/v2/app/blobs/${digest}`)).status, 503);
  assert.equal((await registry.send("GET", `/v2/app/blobs/${digest}`)).status, 200);
  rmSync(place);
  assert.equal((await registry.send("DELETE", `/v2/app/blobs/${digest}`)).status, 202);
  const actions = linesOf(join(place, "audit")).map(
    (line) => (JSON.parse(line) as { action: string }).action,
  );
  assert.deepEqual(actions, ["resume", "delete"]);
});

test("the access log shows no secrets, and no client can forge a line or a field", async () => {
  const lines: string[] = [];
  const log = (format: "json" | "combined"): AccessLog =>
    new AccessLog((line) => lines.push(line), { format, addressOf: () => "10.0.0.7" });
  await using registry = new TestRegistry({ observers: [log("combined"), log("json")] });
  const headers = { "user-agent": 'x" 200 "y\\', authorization: "Basic c2VjcmV0" };
  await registry.send("GET", "/v2/app/tags/list?n=5&access_token=hunter2&sig=hunter3", undefined, headers);
  const [combined = "", json = ""] = lines;
  assert.equal(
    combined.replace(/\[.*\]/, "[time]"),
    '10.0.0.7 - - [time] "GET /v2/app/tags/list?n=5&access_token=…&sig=… HTTP/1.1" 404 ' +
      `${/ 404 (\d+) /.exec(combined)?.[1]} "-" "x\\x22 200 \\x22y\\x5c"`,
  );
  assert.match(combined, /\[01\/Jan\/1970:00:16:40 \+0000\]/);
  const { method, status, target, bytesOut, agent } = JSON.parse(json) as Record<string, unknown>;
  assert.deepEqual([method, status, agent], ["GET", 404, headers["user-agent"]]);
  assert.equal(target, "/v2/app/tags/list?n=5&access_token=…&sig=…");
  assert.ok(Number(bytesOut) > 0);
  assert.doesNotMatch(lines.join("\n"), /hunter|c2VjcmV0/);
  assert.equal(withoutSecrets("/v2/"), "/v2/");
});

test("a log in a file is written when it closes at the latest, and a disk that fails is told of once", async () => {
  const path = join(folder, "access");
  const failures: unknown[] = [];
  const onFailure = (error: unknown): void => void failures.push(error);
  {
    await using file = new AccessLogFile(path, { ...FILE, onFailure });
    file.write("one");
    file.write("two");
  }
  assert.deepEqual(linesOf(path), ["one", "two"]);
  await using blocked = new AccessLogFile(join(path, "below", "log"), { ...FILE, onFailure });
  blocked.write("one");
  await blocked.reopen();
  blocked.write("two");
  await blocked.reopen();
  assert.equal(failures.length, 1);
});
