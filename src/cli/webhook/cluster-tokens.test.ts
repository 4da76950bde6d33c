import assert from "node:assert/strict";
import { test } from "node:test";

import { openScriptedServer, sendFailure, sendJson } from "../../kubernetes/client/testing.ts";
import { ClusterTokens } from "./cluster-tokens.ts";

const REQUEST = {
  namespace: "shop",
  serviceAccountName: "robot",
  serviceAccountUID: "u",
  audiences: ["registry.example.com"],
  pod: { name: "", uid: "" },
};

test("a token is asked for by audience, bound to no Pod, and shown to nobody", async () => {
  await using server = await openScriptedServer((request, response) => {
    if (request.method === "GET")
      return sendJson(response, 200, { metadata: { uid: "u", annotations: { a: "b" } } });
    const status = { token: "hush-hush", expirationTimestamp: "2030-01-01T01:00:00Z" };
    return sendJson(response, 201, { spec: { expirationSeconds: 3607 }, status });
  });
  const tokens = new ClusterTokens(server.client());
  assert.deepEqual(await tokens.get("shop", "robot"), { uid: "u", annotations: { a: "b" } });
  const issued = await tokens.issue(REQUEST);
  assert.equal(issued.token.reveal(), "hush-hush");
  assert.equal(issued.expires, Date.UTC(2030, 0, 1, 1));
  assert.equal(issued.lifetimeSeconds, 3607);
  assert.doesNotMatch(JSON.stringify(issued), /hush-hush/);
  const asked = server.asked.at(-1);
  assert.match(asked?.url ?? "", /^\/api\/v1\/namespaces\/shop\/serviceaccounts\/robot\/token/);
  assert.deepEqual(JSON.parse(asked?.body ?? "").spec, {
    audiences: ["registry.example.com"],
    expirationSeconds: 3600,
  });
});

test("an answer without a token, and a refusal, are said so", async () => {
  let answers = 0;
  await using server = await openScriptedServer((_, response) =>
    answers++ === 0 ? sendJson(response, 201, { status: {} }) : sendFailure(response, 403, "Forbidden"),
  );
  const tokens = new ClusterTokens(server.client());
  await assert.rejects(tokens.issue(REQUEST), /the API server gave no token for serviceaccount "robot"/);
  await assert.rejects(tokens.issue(REQUEST), { code: "Forbidden" });
});
