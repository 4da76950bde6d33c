/** How every implementation of metadata keeps to quotas and immutable tags; part of its suite. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { digestOf } from "../oci/index.ts";
import type { Quota } from "./limits.ts";
import type { NewManifest, RegistryMetadata } from "./metadata.ts";

const NOTHING = { tags: [], blobs: [], manifests: [] } as const;

export function testQuotas(name: string, open: () => Promise<RegistryMetadata>): void {
  const check = (promise: string, body: (metadata: RegistryMetadata) => Promise<void>): void => {
    test(`${name}: ${promise}`, async () => {
      await using metadata = await open();
      await body(metadata);
    });
  };
  const quotaOf = (repository: string, maxBytes: number): { readonly quotas: readonly Quota[] } => ({
    quotas: [{ name: repository, below: false, maxBytes }],
  });

  check(
    "a quota of bytes counts blobs and manifests once each, and what leaves makes room",
    async (metadata) => {
      const quota = quotaOf("r", 100);
      assert.equal(await metadata.linkBlob("r", { digest: digestOf("a"), size: 60 }, quota), undefined);
      assert.equal(await metadata.linkBlob("r", { digest: digestOf("a"), size: 60 }, quota), undefined);
      const fault = await metadata.linkBlob("r", { digest: digestOf("b"), size: 41 }, quota);
      assert.deepEqual([fault?.kind, fault?.used, fault?.wanted], ["bytes", 60, 41]);
      assert.equal(await metadata.findBlob("r", digestOf("b")), undefined);
      const manifest = { ...manifestOf("m"), size: 40 };
      assert.equal((await metadata.putManifest("r", manifest, { ...NOTHING, ...quota })).kind, "stored");
      assert.equal((await metadata.putManifest("r", manifest, { ...NOTHING, ...quota })).kind, "stored");
      const other = { ...manifestOf("n"), size: 1 };
      assert.equal((await metadata.putManifest("r", other, { ...NOTHING, ...quota })).kind, "quota");
      await metadata.unlinkBlob("r", digestOf("a"));
      await metadata.deleteManifest("r", manifest.digest);
      assert.equal(await metadata.linkBlob("r", { digest: digestOf("c"), size: 100 }, quota), undefined);
    },
  );

  check("a quota of tags lets tags move and counts new ones", async (metadata) => {
    const quotas: readonly Quota[] = [{ name: "r", below: false, maxTags: 2 }];
    const put = async (text: string, tags: readonly string[]): Promise<string> =>
      (await metadata.putManifest("r", manifestOf(text), { ...NOTHING, tags, quotas })).kind;
    assert.equal(await put("m", ["a", "b", "c"]), "quota");
    assert.equal(await metadata.findManifest("r", digestOf("m")), undefined);
    assert.equal(await put("m", ["a", "b"]), "stored");
    assert.equal(await put("n", ["a", "b"]), "stored");
    assert.equal(await put("n", ["c"]), "quota");
    await metadata.deleteManifest("r", digestOf("n"));
    assert.equal(await put("m", ["c", "d"]), "stored");
  });

  check("a shared quota counts a name and all below it, and nothing beside it", async (metadata) => {
    const quotas: readonly Quota[] = [{ name: "t", below: true, maxBytes: 10, maxTags: 9 }];
    await metadata.linkBlob("t", { digest: digestOf("a"), size: 4 });
    await metadata.linkBlob("t/x/y", { digest: digestOf("a"), size: 4 });
    await metadata.linkBlob("ta", { digest: digestOf("b"), size: 50 });
    await metadata.linkBlob("t-a", { digest: digestOf("b"), size: 50 });
    const fault = await metadata.linkBlob("t/z", { digest: digestOf("c"), size: 3 }, { quotas });
    assert.equal(fault?.used, 8);
    assert.equal(await metadata.linkBlob("t/z", { digest: digestOf("c"), size: 2 }, { quotas }), undefined);
  });

  check("room that an upload was promised is nobody else's until it ends", async (metadata) => {
    const quota = quotaOf("r", 10);
    const [one, two] = ["u1", "u2"].map((id) => ({ id, repository: "r", startedAt: 1 }));
    assert.ok(one !== undefined && two !== undefined);
    await metadata.createUpload(one);
    await metadata.createUpload(two);
    assert.equal(await metadata.reserveUpload(one, 6, quota), undefined);
    assert.equal((await metadata.reserveUpload(two, 5, quota))?.used, 6);
    assert.equal(
      await metadata.reserveUpload(one, 7, quota),
      undefined,
      "its own promise doesn't count twice",
    );
    assert.equal(await metadata.reserveUpload(two, 3, quota), undefined);
    assert.equal((await metadata.linkBlob("r", { digest: digestOf("a"), size: 1 }, quota))?.kind, "bytes");
    assert.equal(await metadata.finishUpload(one, { digest: digestOf("b"), size: 7 }, quota), undefined);
    await metadata.deleteUpload("u2");
    assert.equal(await metadata.linkBlob("r", { digest: digestOf("a"), size: 3 }, quota), undefined);
  });

  check("an upload that finds no room at its end is over all the same", async (metadata) => {
    const upload = { id: "u", repository: "r", startedAt: 1 };
    await metadata.createUpload(upload);
    const fault = await metadata.finishUpload(upload, { digest: digestOf("a"), size: 11 }, quotaOf("r", 10));
    assert.equal(fault?.kind, "bytes");
    assert.equal(await metadata.findUpload("u"), undefined);
    assert.equal(await metadata.findBlob("r", digestOf("a")), undefined);
  });

  check("an immutable tag is set once, and holds its manifest", async (metadata) => {
    const put = async (text: string): Promise<string> => {
      const options = { ...NOTHING, tags: ["v1", "latest"], immutable: ["v1"] };
      return (await metadata.putManifest("r", manifestOf(text), options)).kind;
    };
    assert.equal(await put("m"), "stored");
    assert.equal(await put("m"), "stored");
    assert.equal(await put("n"), "immutable");
    assert.equal((await metadata.findTag("r", "latest"))?.digest, digestOf("m"));
    const unlessTagged = (tag: string): boolean => tag === "v1";
    assert.equal(await metadata.deleteManifest("r", digestOf("m"), { unlessTagged }), false);
    assert.notEqual(await metadata.findTag("r", "v1"), undefined);
    assert.equal(await metadata.deleteManifest("r", digestOf("m"), { unlessTagged: () => false }), true);
  });
}

function manifestOf(text: string): NewManifest {
  return {
    digest: digestOf(text),
    mediaType: "application/vnd.oci.image.manifest.v1+json",
    size: text.length,
  };
}
