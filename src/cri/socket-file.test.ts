import assert from "node:assert/strict";
import { lstatSync, readdirSync } from "node:fs";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type TestContext, test } from "node:test";

import { run } from "../../test/processes.ts";
import { bindSocket } from "./socket-file.ts";

async function makeFolder(t: TestContext): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), "dray-socket-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  return folder;
}

function serve(t: TestContext): Server {
  const server = createServer((socket) => socket.end());
  t.after(() => server.close());
  return server;
}

test("bindSocket() makes a socket that is its owner's alone, and nothing else beside it", async (t) => {
  const folder = await makeFolder(t);
  const path = join(folder, "deep", "cri.sock");
  const unbind = await bindSocket(serve(t), { path });
  const { mode, uid } = lstatSync(path);
  assert.deepEqual([(mode & 0o777).toString(8), uid], ["600", process.getuid?.()]);
  assert.deepEqual(readdirSync(join(folder, "deep")).toSorted(), ["cri.sock", "cri.sock.lock"]);
  assert.deepEqual(readdirSync(folder), ["deep"]);
  unbind();
  assert.equal(lstatSync(path, { throwIfNoEntry: false }), undefined);
});

test("bindSocket() sets mode and owner before anybody finds the socket", async (t) => {
  if (process.getuid?.() !== 0) return t.skip("only root gives files away");
  const path = join(await makeFolder(t), "cri.sock");
  await bindSocket(serve(t), { path, mode: 0o660, owner: { uid: 1234, gid: 4321 } });
  const { mode, uid, gid } = lstatSync(path);
  assert.deepEqual([(mode & 0o777).toString(8), uid, gid], ["660", 1234, 4321]);
});

test("bindSocket() leaves a socket alone on which somebody serves, of this kind or another", async (t) => {
  const folder = await makeFolder(t);
  const path = join(folder, "cri.sock");
  const unbind = await bindSocket(serve(t), { path });
  await assert.rejects(bindSocket(serve(t), { path }), { code: "SOCKET_IN_USE" });
  assert.ok(lstatSync(path).isSocket());
  unbind();
  await bindSocket(serve(t), { path });

  const foreign = join(folder, "foreign.sock");
  const server = serve(t);
  await new Promise<void>((resolve) => server.listen(foreign, resolve));
  await assert.rejects(bindSocket(serve(t), { path: foreign }), { code: "SOCKET_IN_USE" });
  assert.ok(lstatSync(foreign).isSocket());
});

test("bindSocket() replaces a socket that a killed process left behind", async (t) => {
  const path = join(await makeFolder(t), "cri.sock");
  const program = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, "SIGKILL"))`;
  await assert.rejects(run(process.execPath, ["-e", program]));
  const left = lstatSync(path).ino;
  await bindSocket(serve(t), { path });
  assert.notEqual(lstatSync(path).ino, left);
});

test("bindSocket() replaces no files, and says when a path is too long", async (t) => {
  const folder = await makeFolder(t);
  const file = join(folder, "file");
  await writeFile(file, "precious");
  await assert.rejects(bindSocket(serve(t), { path: file }), { code: "SOCKET_UNUSABLE" });
  const long = join(folder, "x".repeat(108));
  await assert.rejects(bindSocket(serve(t), { path: long }), {
    code: "SOCKET_UNUSABLE",
    message: /longer than the 107 bytes/,
  });
});

test("bindSocket() takes away no socket that somebody else put in its place", async (t) => {
  const path = join(await makeFolder(t), "cri.sock");
  const unbind = await bindSocket(serve(t), { path });
  await rm(path);
  const other = serve(t);
  await new Promise<void>((resolve) => other.listen(path, resolve));
  unbind();
  assert.ok(lstatSync(path).isSocket());
});
