import assert from "node:assert/strict";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { askControlSockets, openControlSocket } from "./control-socket.ts";

test("a registry that starts clears away what ended, and nobody who is slow to answer", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "dray-control-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const control = join(folder, "control");
  mkdirSync(control);
  const slow = createServer().listen(join(control, "1.sock"));
  await once(slow, "listening");
  t.after(() => slow.close());
  writeFileSync(join(control, "2.path"), join(folder, "nowhere.sock"));
  {
    await using _own = await openControlSocket(folder, {
      status: () => "fine",
      reload: async () => "done",
    });
    assert.deepEqual(readdirSync(control).toSorted(), ["1.sock", `${process.pid}.sock`].toSorted());
    slow.on("connection", (socket) => socket.destroy());
    assert.deepEqual(await askControlSockets(folder, "GET /status"), ["fine"]);
  }
  assert.deepEqual(readdirSync(control), ["1.sock"]);
});
