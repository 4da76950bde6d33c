import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";

import { createRemoteJWKSet, customFetch, jwtVerify } from "jose";

import { KubernetesClient, findResource, type JsonObject } from "../../kubernetes/index.ts";
import { openApiServer } from "../server.ts";

test("others can verify a ServiceAccount's token by what the API says of its issuer", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-issuer-"));
  const api = await openApiServer({ folder });
  t.after(async () => {
    await api.close();
    await rm(folder, { recursive: true });
  });
  const send = api.transport();
  const client = new KubernetesClient({ transport: send, server: "https://api" });
  const accounts = findResource({ group: "", version: "v1", resource: "serviceaccounts" });
  assert.ok(accounts !== undefined);
  const asked = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { audiences: ["them"] },
  };
  const { status } = await client
    .resource(accounts)
    .post<{ readonly status: { readonly token: string } } & JsonObject>("default", asked, {
      subresource: "token",
    });

  const found = await send(new Request("https://api/.well-known/openid-configuration"));
  const { issuer, jwks_uri } = (await found.json()) as { readonly issuer: string; readonly jwks_uri: string };
  const keys = createRemoteJWKSet(new URL(jwks_uri), {
    [customFetch]: (url) => send(new Request(url)),
  });
  const { payload } = await jwtVerify(status.token, keys, { issuer, audience: "them" });
  assert.equal(payload.sub, "system:serviceaccount:default:default");

  const anonymous = await api.fetch(new Request("https://api/openid/v1/jwks"));
  assert.equal(anonymous.status, 401);
});
