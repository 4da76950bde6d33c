/** Stock kubectl says to dray's API server what it said to a real one, and prints the same of what it hears. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { replayWithKubectl } from "../traces/kubectl/with-kubectl.ts";
import { findPeer, missingPeers } from "./peers.ts";

const FOLDER = fileURLToPath(new URL("../traces/kubectl/recordings/", import.meta.url));

test(
  "kubectl prints of dray what it printed of a real API server",
  { skip: missingPeers("kubectl"), timeout: 900_000 },
  async (t) => {
    let commands = 0;
    for await (const { id, differences, right } of replayWithKubectl(FOLDER, findPeer("kubectl") ?? "")) {
      commands++;
      await t.test(id, (command) => {
        for (const why of new Set(right.map((one) => one.why))) command.diagnostic(why);
        assert.deepEqual(differences, []);
      });
    }
    assert.ok(commands >= 80, `only ${commands} commands`);
  },
);
