/** What every implementation of {@link RegistryMetadata} has to do; each runs this suite. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { digestOf, type Descriptor, type Digest } from "../oci/index.ts";
import type { ManifestRecord, NewManifest, RegistryMetadata } from "./metadata.ts";

const MEDIA_TYPE = "application/vnd.oci.image.manifest.v1+json";
const NOTHING_NEEDED = { tags: [], blobs: [], manifests: [] } as const;

export function testRegistryMetadata(name: string, open: () => Promise<RegistryMetadata>): void {
  const check = (promise: string, body: (metadata: RegistryMetadata) => Promise<void>): void => {
    test(`${name}: ${promise}`, async () => {
      await using metadata = await open();
      await body(metadata);
    });
  };

  check("a blob is visible only in repositories that link it", async (metadata) => {
    const blob = { digest: digestOf("a"), size: 1 };
    await metadata.linkBlob("team/a", blob);
    await metadata.linkBlob("team/a", blob);
    assert.deepEqual({ ...(await metadata.findBlob("team/a", blob.digest)) }, blob);
    assert.equal(await metadata.findBlob("team/b", blob.digest), undefined);
    await metadata.linkBlob("other", blob);
    assert.deepEqual(await metadata.findBlobRepositories(blob.digest, { limit: 10 }), ["other", "team/a"]);
    assert.deepEqual(await metadata.findBlobRepositories(blob.digest, { limit: 1 }), ["other"]);
    const rest = { after: "other", limit: 10 };
    assert.deepEqual(await metadata.findBlobRepositories(blob.digest, rest), ["team/a"]);
    assert.equal(await metadata.unlinkBlob("team/a", blob.digest), true);
    assert.equal(await metadata.unlinkBlob("team/a", blob.digest), false);
    assert.equal(await metadata.findBlob("team/a", blob.digest), undefined);
    assert.deepEqual(await metadata.findBlobRepositories(blob.digest, { limit: 10 }), ["other"]);
  });

  check("a manifest is found by digest and by every tag, in its repository only", async (metadata) => {
    const manifest = manifestOf("m");
    await metadata.putManifest("r", manifest, { ...NOTHING_NEEDED, tags: ["1", "latest"] });
    assert.deepEqual({ ...(await metadata.findManifest("r", manifest.digest)) }, manifest);
    assert.deepEqual({ ...(await metadata.findTag("r", "latest")) }, manifest);
    assert.deepEqual({ ...(await metadata.findTag("r", "1")) }, manifest);
    assert.equal(await metadata.findTag("r", "2"), undefined);
    assert.equal(await metadata.findManifest("s", manifest.digest), undefined);
    assert.equal(await metadata.findTag("s", "1"), undefined);
  });

  check("the last writer of a tag wins", async (metadata) => {
    const [old, young] = [manifestOf("old"), manifestOf("young")];
    await metadata.putManifest("r", old, { ...NOTHING_NEEDED, tags: ["t"] });
    await metadata.putManifest("r", young, { ...NOTHING_NEEDED, tags: ["t"] });
    assert.equal((await metadata.findTag("r", "t"))?.digest, young.digest);
    assert.notEqual(await metadata.findManifest("r", old.digest), undefined);
  });

  check("a manifest whose parts are missing changes nothing and names each once", async (metadata) => {
    const [blob, lost, child] = [digestOf("blob"), digestOf("lost"), digestOf("child")];
    await metadata.linkBlob("r", { digest: blob, size: 4 });
    await metadata.linkBlob("elsewhere", { digest: lost, size: 4 });
    const wanted = { tags: ["t"], blobs: [blob, lost, lost], manifests: [child, blob] };
    const outcome = await metadata.putManifest("r", manifestOf("m"), wanted);
    assert.deepEqual(outcome, { kind: "missing", digests: [lost, child] });
    assert.equal(await metadata.findTag("r", "t"), undefined);
    assert.equal(await metadata.findManifest("r", manifestOf("m").digest), undefined);
    await metadata.linkBlob("r", { digest: lost, size: 4 });
    await metadata.putManifest("r", manifestOf("child"), NOTHING_NEEDED);
    assert.deepEqual(await metadata.putManifest("r", manifestOf("m"), wanted), { kind: "stored" });
  });

  check("a refused first push does not bring a repository into being", async (metadata) => {
    await metadata.putManifest("r", manifestOf("m"), { ...NOTHING_NEEDED, blobs: [digestOf("lost")] });
    assert.equal(await metadata.listTags("r", { limit: 10 }), undefined);
    assert.deepEqual(await metadata.listRepositories({ limit: 10 }), []);
  });

  check("an expectation about a tag guards its replacement", async (metadata) => {
    const [a, b] = [manifestOf("a"), manifestOf("b")];
    const put = async (manifest: NewManifest, state: readonly string[] | "absent"): Promise<string> => {
      const options = { ...NOTHING_NEEDED, tags: ["t"], expect: { tag: "t", state } };
      return (await metadata.putManifest("r", manifest, options)).kind;
    };
    assert.equal(await put(a, ["*"]), "conflict");
    assert.equal(await put(a, "absent"), "stored");
    assert.equal(await put(b, "absent"), "conflict");
    assert.equal(await put(b, [b.digest]), "conflict");
    assert.equal(await put(b, [b.digest, a.digest]), "stored");
    assert.equal(await put(a, ["*"]), "stored");
    assert.equal((await metadata.findTag("r", "t"))?.digest, a.digest);
  });

  check("deleting a manifest takes its tags with it, deleting a tag only itself", async (metadata) => {
    const [a, b] = [manifestOf("a"), manifestOf("b")];
    await metadata.putManifest("r", a, { ...NOTHING_NEEDED, tags: ["a1", "a2"] });
    await metadata.putManifest("r", b, { ...NOTHING_NEEDED, tags: ["b1", "b2"] });
    await metadata.putManifest("s", a, { ...NOTHING_NEEDED, tags: ["a1"] });
    assert.equal(await metadata.deleteManifest("r", a.digest), true);
    assert.equal(await metadata.deleteManifest("r", a.digest), false);
    assert.equal(await metadata.deleteTag("r", "b1"), true);
    assert.equal(await metadata.deleteTag("r", "b1"), false);
    assert.deepEqual(await metadata.listTags("r", { limit: 10 }), ["b2"]);
    assert.notEqual(await metadata.findManifest("r", b.digest), undefined);
    assert.notEqual(await metadata.findTag("s", "a1"), undefined);
  });

  check("tags and repositories come in byte order, in pages that may begin anywhere", async (metadata) => {
    const tags = ["1.10", "1.2", "A", "_x", "a", "z"];
    await metadata.putManifest("r", manifestOf("m"), { ...NOTHING_NEEDED, tags: tags.toReversed() });
    for (const repository of ["b", "a/c", "a-b"])
      await metadata.linkBlob(repository, { digest: digestOf("x"), size: 1 });
    assert.deepEqual(await metadata.listTags("r", { limit: 10 }), tags);
    assert.deepEqual(await metadata.listTags("r", { limit: 2 }), ["1.10", "1.2"]);
    assert.deepEqual(await metadata.listTags("r", { after: "1.2", limit: 2 }), ["A", "_x"]);
    assert.deepEqual(await metadata.listTags("r", { after: "B", limit: 9 }), ["_x", "a", "z"]);
    assert.deepEqual(await metadata.listTags("r", { after: "zz", limit: 9 }), []);
    assert.deepEqual(await metadata.listTags("r", { limit: 0 }), []);
    assert.equal(await metadata.listTags("unknown", { limit: 9 }), undefined);
    assert.deepEqual(await metadata.listRepositories({ limit: 9 }), ["a-b", "a/c", "b", "r"]);
    assert.deepEqual(await metadata.listRepositories({ after: "a/b", limit: 2 }), ["a/c", "b"]);
  });

  check("referrers are listed by digest, filtered, paged, and gone with their manifest", async (metadata) => {
    const subject = digestOf("subject");
    const put = async (text: string, artifactType?: string): Promise<Descriptor> => {
      const manifest = manifestOf(text);
      const descriptor: Descriptor = { ...manifest, ...(artifactType === undefined ? {} : { artifactType }) };
      await metadata.putManifest("r", { ...manifest, referrer: { subject, descriptor } }, NOTHING_NEEDED);
      return descriptor;
    };
    const all = [await put("a", "t/one"), await put("b", "t/two"), await put("c"), await put("d", "t/one")];
    await put("a", "t/one");
    all.sort((a, b) => (a.digest < b.digest ? -1 : 1));
    assert.deepEqual(await metadata.listReferrers("r", subject, { limit: 10 }), all);
    assert.deepEqual(await metadata.listReferrers("s", subject, { limit: 10 }), []);
    assert.deepEqual(await metadata.listReferrers("r", digestOf("other"), { limit: 10 }), []);
    const after = all[1]?.digest;
    assert.deepEqual(await metadata.listReferrers("r", subject, { after, limit: 1 }), [all[2]]);
    const ones = all.filter((descriptor) => descriptor.artifactType === "t/one");
    assert.deepEqual(await metadata.listReferrers("r", subject, { artifactType: "t/one", limit: 10 }), ones);
    await metadata.deleteManifest("r", ones[0]?.digest as Digest);
    assert.deepEqual(await metadata.listReferrers("r", subject, { artifactType: "t/one", limit: 10 }), [
      ones[1],
    ]);
  });

  check("an upload is found until it is finished or dropped", async (metadata) => {
    const first = { id: "u1", repository: "r", startedAt: 1_000 };
    const second = { id: "u2", repository: "r", startedAt: 2_000, algorithm: "sha512" } as const;
    await metadata.createUpload(first);
    await metadata.createUpload(second);
    assert.deepEqual(await metadata.findUpload("u2"), second);
    assert.deepEqual(await metadata.listUploads(2_000), [first]);
    assert.deepEqual(await metadata.listUploads(2_001), [first, second]);
    assert.equal(await metadata.listTags("r", { limit: 1 }), undefined, "an upload alone is no repository");
    await metadata.finishUpload(first, { digest: digestOf("x"), size: 1 });
    assert.equal(await metadata.findUpload("u1"), undefined);
    assert.deepEqual(
      { ...(await metadata.findBlob("r", digestOf("x"))) },
      { digest: digestOf("x"), size: 1 },
    );
    assert.equal(await metadata.deleteUpload("u2"), true);
    assert.equal(await metadata.deleteUpload("u2"), false);
  });

  check("generation() changes with every change to manifests and tags", async (metadata) => {
    if (metadata.generation() === undefined) return;
    const manifest = manifestOf("m");
    const seen = new Set([metadata.generation()]);
    const steps = [
      (): Promise<unknown> => metadata.putManifest("r", manifest, { ...NOTHING_NEEDED, tags: ["a", "b"] }),
      (): Promise<unknown> => metadata.deleteTag("r", "a"),
      (): Promise<unknown> => metadata.deleteManifest("r", manifest.digest),
    ];
    for (const step of steps) {
      await step();
      assert.equal(seen.has(metadata.generation()), false);
      seen.add(metadata.generation());
    }
    assert.equal(metadata.generation(), metadata.generation());
  });
}

function manifestOf(text: string): ManifestRecord {
  return { digest: digestOf(text), mediaType: MEDIA_TYPE, size: text.length };
}
