import assert from "node:assert/strict";
import { test } from "node:test";

import type { CriAuthConfig } from "../credentials/index.ts";
import { PullAuths } from "./pull-auth.ts";

const USER = { username: "ada", password: "pw" };
const AUTH = Buffer.from("ada:pw").toString("base64");

/** What is shown to a host, as text: `basic ada:pw`. */
async function shown(auth: CriAuthConfig, host: string, forms: "containerd" | "all"): Promise<string> {
  const auths = new PullAuths({ forms });
  const tracked = auths.track(auth);
  if (tracked === undefined) return "nothing";
  const [found] = (await auths.sourceOf(tracked)?.find({ host, repository: "app" }, {})) ?? [];
  if (found === undefined) return "nothing";
  const { credential } = found;
  if (credential.kind === "basic") return `basic ${credential.username}:${credential.password.reveal()}`;
  return `${credential.kind} ${credential.token.reveal()}`;
}

const CASES: readonly [auth: CriAuthConfig, host: string, containerd: string, all: string][] = [
  [{}, "r.example", "nothing", "nothing"],
  [{ serverAddress: "https://r.example" }, "r.example", "nothing", "nothing"],
  [USER, "r.example", "basic ada:pw", "basic ada:pw"],
  [{ password: "pw" }, "r.example", "nothing", "nothing"],
  [{ username: "ada" }, "r.example", "nothing", "nothing"],
  [{ ...USER, identityToken: "it" }, "r.example", "basic ada:pw", "basic ada:pw"],
  [{ identityToken: "it", auth: AUTH }, "r.example", "identity-token it", "identity-token it"],
  [{ auth: AUTH }, "r.example", "basic ada:pw", "basic ada:pw"],
  [{ registryToken: "rt" }, "r.example", "nothing", "registry-token rt"],
  [{ registryToken: "rt", auth: AUTH }, "r.example", "basic ada:pw", "basic ada:pw"],
  [{ ...USER, serverAddress: "https://r.example" }, "r.example", "basic ada:pw", "basic ada:pw"],
  [{ ...USER, serverAddress: "https://r.example/v1/" }, "r.example", "basic ada:pw", "basic ada:pw"],
  [{ ...USER, serverAddress: "r.example" }, "r.example", "nothing", "basic ada:pw"],
  [{ ...USER, serverAddress: "r.example:5000" }, "r.example:5000", "nothing", "basic ada:pw"],
  [{ ...USER, serverAddress: "r.example" }, "r.example:5000", "nothing", "nothing"],
  [{ ...USER, serverAddress: "https://r.example" }, "mirror.example", "nothing", "nothing"],
  [{ ...USER, serverAddress: "https://index.docker.io/v1/" }, "docker.io", "nothing", "basic ada:pw"],
  [{ ...USER, serverAddress: "docker.io" }, "docker.io", "nothing", "basic ada:pw"],
  [{ ...USER, serverAddress: "https://registry-1.docker.io" }, "docker.io", "basic ada:pw", "basic ada:pw"],
  [{ registryToken: "rt", serverAddress: "r.example" }, "r.example", "nothing", "registry-token rt"],
  [{ registryToken: "rt", serverAddress: "other.example" }, "r.example", "nothing", "nothing"],
];

for (const [auth, host, containerd, all] of CASES) {
  test(`${JSON.stringify(auth)} shows ${host} what containerd shows, or what all forms show`, async () => {
    assert.deepEqual(
      [await shown(auth, host, "containerd"), await shown(auth, host, "all")],
      [containerd, all],
    );
  });
}

test("equal credentials are recognised, others aren't, and none is in a text", () => {
  const auths = new PullAuths();
  const [one, same, other] = [USER, { ...USER }, { ...USER, password: "other" }].map((auth) =>
    auths.track(auth),
  );
  assert.equal(one?.hash, same?.hash);
  assert.notEqual(one?.hash, other?.hash);
  assert.doesNotMatch(JSON.stringify(one), /pw/);
  assert.equal(new PullAuths().sourceOf(one as NonNullable<typeof one>), undefined);
});
