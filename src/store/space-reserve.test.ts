import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, statSync, truncateSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";

import { StoreError } from "./errors.ts";
import { SpaceReserve } from "./space-reserve.ts";

const folder = mkdtempSync(join(tmpdir(), "dray-reserve-"));
after(() => rmSync(folder, { recursive: true }));
const path = join(folder, "reserve");

test("a reserve takes real room, gives it back, and takes what is missing again", () => {
  const reserve = new SpaceReserve(folder, 100_000);
  reserve.fill();
  assert.ok(statSync(path).size === 100_000 && statSync(path).blocks * 512 >= 100_000);
  truncateSync(path, 10);
  reserve.fill();
  assert.equal(statSync(path).size, 100_000);
  assert.equal(reserve.release(), true);
  assert.equal(reserve.release(), false);
  assert.deepEqual(readdirSync(folder), []);
});

test("a reserve that can't be taken is none, and no failure", () => {
  const reserve = new SpaceReserve(join(folder, "missing"));
  reserve.fill();
  assert.equal(reserve.release(), false);
});

test("a reserve makes way for a full disk alone, once, and comes back afterwards", () => {
  const reserve = new SpaceReserve(folder, 100_000);
  reserve.fill();
  assert.equal(reserve.makesWay(new StoreError("CLOSED", "Cannot write to the store: it was closed")), false);
  reserve.restore();
  const full = new StoreError("NO_SPACE", "Cannot write: no space left on the disk");
  assert.deepEqual([reserve.makesWay(full), reserve.makesWay(full)], [true, false]);
  assert.deepEqual(readdirSync(folder), []);
  reserve.restore();
  assert.equal(statSync(path).size, 100_000);
});
