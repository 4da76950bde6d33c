import { mkdtemp, rm } from "node:fs/promises";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import type { ImageBackend } from "./image-backend.ts";
import { serveCri } from "./serve.ts";

/** How HTTP/2 begins: its preface, and no settings. */
const HELLO = Buffer.concat([
  Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
  Buffer.from([0, 0, 0, 4, 0, 0, 0, 0, 0]),
]);

test("a client that never hangs up doesn't keep the service from ending", { timeout: 60_000 }, async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-serve-"));
  t.after(() => rm(folder, { recursive: true, force: true }));
  const path = join(folder, "cri.sock");
  await using server = await serveCri({
    socket: { path },
    // Nobody asks it.
    backend: {} as ImageBackend,
    runtime: { name: "dray", version: "0.0.0", cgroupDriver: "cgroupfs", config: {} },
    now: Date.now,
  });
  const client = connect({ path, allowHalfOpen: true });
  t.after(() => client.destroy());
  client.on("error", () => {});
  const greeted = Promise.withResolvers<void>();
  client.on("data", () => greeted.resolve());
  client.write(HELLO);
  await greeted.promise;
  await server.close(0);
});
