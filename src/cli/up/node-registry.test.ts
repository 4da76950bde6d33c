import assert from "node:assert/strict";
import { test } from "node:test";

import {
  type CredentialSource,
  Secret,
  toCandidate,
  type TrackedCredential,
} from "../../credentials/index.ts";
import { parseDockerRef } from "../../reference/index.ts";
import type { RegistryAccess } from "../connect.ts";
import { NodeRegistry } from "./node-registry.ts";

/** As it is where credentials aren't tracked: without a hash. */
function credential(username: string): TrackedCredential {
  const origin = { kind: "secret", label: "s" } as const;
  return { username, password: new Secret("p"), email: "", owner: undefined, hash: "", origin };
}

test("each credential has a client of its own for each registry, which shows it to nobody else", async () => {
  const sources: CredentialSource[] = [];
  const repository = (): never => ({}) as never;
  const access = {
    as: (source: CredentialSource) => {
      sources.push(source);
      return { repository };
    },
  } as unknown as RegistryAccess;
  const registry = new NodeRegistry(access, { candidateOf: toCandidate });
  const app = parseDockerRef("r.example/app:1");
  const steps = [
    [app, credential("alice"), 1],
    [parseDockerRef("r.example/other:1"), credential("alice"), 1],
    [app, credential("bob"), 2],
    [app, null, 3],
    [app, credential(""), 3],
    [parseDockerRef("s.example/app:1"), credential("alice"), 4],
  ] as const;
  for (const [reference, who, clients] of steps) {
    registry.repository(reference, who);
    assert.equal(sources.length, clients);
  }
  const shown = async (source: CredentialSource | undefined, host: string): Promise<readonly string[]> =>
    ((await source?.find({ host })) ?? []).map(({ credential: each }) =>
      each.kind === "basic" ? each.username : each.kind,
    );
  assert.deepEqual(await shown(sources[0], "r.example"), ["alice"]);
  assert.deepEqual(await shown(sources[0], "s.example"), []);
  assert.deepEqual(await shown(sources[1], "r.example"), ["bob"]);
  assert.deepEqual(await shown(sources[2], "r.example"), []);
});
