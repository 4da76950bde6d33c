import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import type { ServiceImage } from "../image-service.ts";
import { formatSize } from "./format-size.ts";
import type { GcPolicy } from "./gc-policy.ts";
import { ImageCollector, type NodeEvent } from "./image-collector.ts";

interface Fake {
  readonly id: string;
  readonly size: number;
  readonly pinned?: boolean;
}

const POLICY: GcPolicy = { highThresholdPercent: 80, lowThresholdPercent: 60, minAge: 0, maxAge: 0 };

class World {
  now = 1_000_000;
  images: Fake[];
  used: string[] = [];
  disk = { capacityBytes: 1000, availableBytes: 1000 };
  readonly stuck = new Set<string>();
  readonly removed: string[] = [];
  readonly events: NodeEvent[] = [];
  readonly hooked: (readonly string[])[] = [];
  readonly collector: ImageCollector;

  constructor(images: readonly Fake[], policy: Partial<GcPolicy> = {}) {
    this.images = [...images];
    this.collector = new ImageCollector({
      images: {
        list: () => Promise.resolve(this.images.map(listed)),
        remove: async (id) => {
          if (this.stuck.has(id)) throw new Error(`${id} is stuck`);
          this.images = this.images.filter((image) => image.id !== id);
          this.removed.push(id);
        },
        fileSystem: () => Promise.resolve(this.disk),
      },
      listUsed: () => Promise.resolve(this.used.map((imageId) => ({ imageId }))),
      policy: { ...POLICY, ...policy },
      now: () => this.now,
      hooks: [async (remaining) => void this.hooked.push(remaining)],
      onEvent: (event) => void this.events.push(event),
    });
  }

  /** Looks at what is here while these are in use. */
  async see(used: readonly string[]): Promise<void> {
    this.used = [...used];
    await this.collector.detect(this.now);
    this.now += 1000;
    this.used = [];
  }
}

function listed({ id, size, pinned = false }: Fake): ServiceImage {
  const spec = { image: id, annotations: [], runtimeHandler: "" };
  return { id, size, pinned, repoTags: [], repoDigests: [], spec };
}

test("the image unused for longest goes first, and no more go than are needed", async () => {
  const world = new World(["a", "b", "c", "d"].map((id) => ({ id, size: 100 })));
  await world.see(["b"]);
  await world.see(["a"]);
  world.used = ["d"];
  world.disk.availableBytes = 250;
  assert.deepEqual(await world.collector.collect(0), undefined);
  assert.deepEqual(world.removed, [], "75 percent is below the threshold");
  world.disk.availableBytes = 200;
  await world.collector.collect(0);
  assert.deepEqual(world.removed, ["c", "b"], "c was never used; two make up 200 bytes");
  assert.deepEqual(world.hooked, [[]]);
});

test("what can't be removed doesn't hold up the rest, and is told of at the end", async () => {
  const world = new World(["a", "b", "c"].map((id) => ({ id, size: 100 })));
  world.stuck.add("a").add("b");
  world.disk.availableBytes = 100;
  await assert.rejects(world.collector.collect(0), {
    code: "GC_FAILED",
    message:
      "wanted to free 300 bytes, but freed 100 bytes space with errors in image deletion: [a is stuck, b is stuck]",
  });
  assert.deepEqual([world.removed, world.hooked], [["c"], []]);
  await assert.rejects(world.collector.deleteUnused(), {
    message: /^wanted to free 9223372036854775807 bytes/,
  });
});

test("age removes what was unused too long, however full the disk, but only after so long a watch", async () => {
  const world = new World(
    ["a", "b", "new"].map((id) => ({ id, size: 100 })),
    { maxAge: 60_000 },
  );
  const began = world.now;
  await world.see(["a", "b"]);
  await world.collector.collect(began);
  assert.deepEqual(world.removed, []);
  world.now = began + 60_000;
  world.used = ["b"];
  await world.collector.collect(began);
  assert.deepEqual(world.removed, [], "a minute is not more than a minute");
  world.now += 1;
  world.stuck.add("a");
  const message = "wanted to free images older than 1m0s, encountered errors in image deletion: a is stuck";
  await assert.rejects(world.collector.collect(began), { message });
  assert.deepEqual(world.removed, ["new"]);
});

test("a plan says what collecting then does", async () => {
  const image = fc.record({
    size: fc.integer({ min: 1, max: 300 }),
    pinned: fc.boolean(),
    seenAt: fc.subarray([0, 1, 2]),
    inUse: fc.boolean(),
  });
  const property = fc.asyncProperty(
    fc.array(image, { maxLength: 8 }),
    fc.record({ available: fc.integer({ min: 0, max: 1000 }), minAge: fc.constantFrom(0, 2500, 9000) }),
    fc.constantFrom(0, 1500, 60_000),
    async (images, { available, minAge }, maxAge) => {
      const named = images.map((one, index) => ({ ...one, id: `image-${index}` }));
      const world = new World(named, { minAge, maxAge });
      const began = world.now;
      for (const round of [0, 1, 2]) {
        await world.see(named.filter(({ seenAt }) => seenAt.includes(round)).map(({ id }) => id));
      }
      world.used = named.filter(({ inUse }) => inUse).map(({ id }) => id);
      world.disk.availableBytes = available;
      const plan = await world.collector.plan(began);
      assert.deepEqual(world.removed, []);
      const planned = plan.images.filter(({ verdict }) => verdict.action === "remove");
      const enough = await world.collector.collect(began).then(
        () => true,
        () => false,
      );
      assert.deepEqual(new Set(world.removed), new Set(planned.map(({ record }) => record.key)));
      assert.equal(plan.images.length, named.length);
      assert.equal(plan.isEnough, enough);
      assert.equal(
        plan.freed,
        named.filter(({ id }) => world.removed.includes(id)).reduce((sum, { size }) => sum + size, 0),
      );
    },
  );
  await fc.assert(property, { numRuns: 200 });
});

test("a plan gives each image its own reason, and tells nobody", async () => {
  const images = [
    { id: "used", size: 1 },
    { id: "pinned", size: 1, pinned: true },
    { id: "", size: 1 },
    { id: "free", size: 500 },
    { id: "spare", size: 1 },
  ];
  const world = new World(images, { minAge: 500 });
  await world.see([]);
  world.images.push({ id: "young", size: 1 });
  world.used = ["used"];
  world.disk.availableBytes = 100;
  const reasons = async (): Promise<Record<string, string>> => {
    const plan = await world.collector.plan(0);
    return Object.fromEntries(plan.images.map(({ record, verdict }) => [record.key, verdict.because]));
  };
  assert.deepEqual(await reasons(), {
    free: "space-needed",
    spare: "enough-freed",
    young: "enough-freed",
    used: "in-use",
    pinned: "pinned",
    "": "id-invalid",
  });
  world.disk.availableBytes = 900;
  assert.equal((await reasons())["free"], "disk-below-threshold");
  assert.deepEqual(world.events, []);
});

test("formatSize() rounds ties to the even digit", () => {
  for (const [bytes, text] of [
    [0, "0 B"],
    [1280, "1.2 KiB"],
    [1331, "1.3 KiB"],
    [1792, "1.8 KiB"],
    [1024 ** 2 - 1, "1024.0 KiB"],
    [1024 ** 5, "1024.0 TiB"],
  ] as const) {
    assert.equal(formatSize(bytes), text);
  }
});
