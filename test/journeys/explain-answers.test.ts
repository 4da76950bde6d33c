/** What registries, and what stands in front of them, answer besides the ordinary. */
import assert from "node:assert/strict";
import { test } from "node:test";

import { findCommand } from "../../src/cli/catalogue.ts";
import { runExplain } from "../../src/cli/explain/run-explain.ts";
import { parseArguments } from "../../src/cli/parse-arguments.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { ClientError, type HttpSend } from "../../src/client/index.ts";
import type { Explanation, Finding } from "../../src/explain/index.ts";
import { ScriptedRegistries, type ScriptedRegistry } from "./scripted-registries.ts";

async function explain(
  image: string,
  send: HttpSend,
  words: readonly string[] = [],
  spec: Readonly<Record<string, unknown>> = {},
  others: readonly unknown[] = [],
): Promise<readonly Finding[]> {
  const pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web" },
    spec: { ...spec, containers: [{ name: "web", image }] },
  };
  const stdin = [pod, ...others].map((one) => JSON.stringify(one)).join("\n---\n");
  const context = createMemoryContext({ stdin, now: () => Date.UTC(2026, 0, 5) });
  const command = await findCommand("explain");
  assert.ok(command !== undefined);
  const { values, positionals } = parseArguments(command, ["-", "--json", ...words]);
  await runExplain({ values, positionals, send }, context);
  const { pods } = JSON.parse(context.stdout.text) as Explanation;
  return pods.flatMap(({ images }) => images.flatMap(({ causes }) => causes));
}

const HOST = "registry.example.com";

const ANSWERS: readonly (readonly [string, ScriptedRegistry, string])[] = [
  ["a web server's 404", { status: 404, html: true }, "NOT_A_REGISTRY"],
  ["a web server's 400", { status: 400, html: true }, "NOT_A_REGISTRY"],
  ["a registry's 404", { status: 404 }, "TAG_MISSING"],
  ["a gateway's 502", { status: 502, html: true }, "REGISTRY_ERROR"],
  ["a proxy that nobody set", { status: 407 }, "PROXY_FAILED"],
  ["a country rule", { status: 451 }, "ACCESS_DENIED"],
  ["nonsense", { status: 400 }, "RESPONSE_INVALID"],
];

test("what answers instead of a registry is named", async () => {
  for (const [what, registry, code] of ANSWERS) {
    const { send } = new ScriptedRegistries({ [HOST]: registry });
    const causes = await explain(`${HOST}/shop/web:1`, send);
    assert.deepEqual(
      causes.map((cause) => cause.code),
      [code],
      what,
    );
    if (code === "NOT_A_REGISTRY") assert.match(causes[0]?.summary ?? "", /answered 40\d with a web page/);
  }
});

test("a 400 to plain HTTP wants TLS, unless TLS is what failed before", async () => {
  const { send } = new ScriptedRegistries({ "localhost:5000": { status: 400 } });
  const noTls: HttpSend = async (request) => {
    if (request.url.protocol !== "https:") return await send(request);
    throw new ClientError("TLS_NOT_SPOKEN", 'Cannot reach "localhost:5000": it does not speak TLS');
  };
  const codes = async (through: HttpSend, words: readonly string[]): Promise<readonly string[]> =>
    (await explain("localhost:5000/shop/web:1", through, words)).map(({ code }) => code);
  assert.deepEqual(await codes(noTls, []), ["RESPONSE_INVALID"]);
  assert.deepEqual(await codes(send, ["--plain-http"]), ["HTTPS_REQUIRED"]);
});

test("a login that no node has isn't mended by a pull secret", async () => {
  const document = JSON.stringify({ auths: { [HOST]: { username: "alice", password: "alice-knows" } } });
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "s" },
    type: "kubernetes.io/dockerconfigjson",
    stringData: { ".dockerconfigjson": document },
  };
  const spec = { imagePullSecrets: [{ name: "s" }] };
  const refused = async (ask: string | undefined, logins: boolean): Promise<Finding> => {
    const headers: Record<string, string> = ask === undefined ? {} : { "www-authenticate": ask };
    const { send } = new ScriptedRegistries({ [HOST]: { status: 401, headers } });
    const given = logins ? { spec, others: [secret] } : { spec: {}, others: [] };
    const image = `${HOST}/shop/web:1`;
    const [cause, ...more] = await explain(image, send, [], given.spec, given.others);
    assert.deepEqual(more, []);
    assert.ok(cause !== undefined);
    return cause;
  };
  for (const logins of [false, true]) {
    for (const [ask, how] of [
      ["Negotiate", /knows none but "negotiate"/],
      ['NTLM, Digest realm="r", nonce="n"', /knows none but "ntlm"/],
      [undefined, /doesn't say how/],
    ] as const) {
      const { code, summary, advice } = await refused(ask, logins);
      assert.equal(code, "ACCESS_DENIED");
      assert.match(summary, how);
      assert.doesNotMatch(JSON.stringify(advice), /create secret/);
    }
    const { code } = await refused('Negotiate, Basic realm="r"', logins);
    assert.equal(code, logins ? "CREDENTIAL_REFUSED" : "NO_CREDENTIALS");
  }
});

test("one Secret is made for all registries that want a login, and for no others", async () => {
  const users = { alice: "alice-knows" };
  const images = { "shop/web:1": {} };
  const { send } = new ScriptedRegistries({
    [HOST]: { images, users },
    "other.example.com": { images, users, auth: "token" },
    "open.example.com": { images },
    "strange.example.com": { status: 401, headers: { "www-authenticate": "Negotiate" } },
  });
  const hosts = ["other.example.com", "open.example.com", "strange.example.com"];
  const initContainers = hosts.map((host, index) => ({ name: `i${index}`, image: `${host}/shop/web:1` }));
  const spec = { initContainers, imagePullSecrets: [{ name: "s" }] };
  const causes = await explain(`${HOST}/shop/web:1`, send, ["--complete"], spec);
  const missing = causes.filter(({ code }) => code === "SECRET_MISSING");
  assert.equal(missing.length, 3);
  const lines = new Set(missing.flatMap(({ advice }) => advice.map(({ command = "" }) => command)));
  const [line = ""] = lines;
  assert.equal(lines.size, 1, [...lines].join("\n"));
  const [, document = ""] = /--from-literal=\.dockerconfigjson='(.*)'$/.exec(line) ?? [];
  const { auths } = JSON.parse(document) as { readonly auths: Readonly<Record<string, unknown>> };
  assert.deepEqual(Object.keys(auths).toSorted(), ["other.example.com", HOST]);

  // Nobody is asked, and still some need none.
  const unasked = ["nginx:1", "no_host.example.com/shop/web:1"];
  const others = unasked.map((image, index) => ({ name: `i${index}`, image }));
  const told = await explain(`${HOST}/shop/web:1`, send, ["--complete", "--no-network"], {
    ...spec,
    initContainers: others,
  });
  const commands = told.flatMap(({ advice }) => advice.map(({ command = "" }) => command));
  const made = new Set(commands.filter((command) => command.includes("create secret")));
  assert.deepEqual(
    [...made],
    [
      `kubectl create secret docker-registry s -n default --docker-server=${HOST} --docker-username=USER --docker-password=PASSWORD`,
    ],
  );
});

test("a gateway's 403 isn't mended by a pull secret, a registry's may be", async () => {
  const adviceOf = async (html: boolean): Promise<string> => {
    const { send } = new ScriptedRegistries({ [HOST]: { status: 403, html } });
    const [cause] = await explain(`${HOST}/shop/web:1`, send);
    assert.equal(cause?.code, "ACCESS_DENIED");
    assert.equal(cause.summary.includes("with a web page"), html);
    return JSON.stringify(cause.advice);
  };
  assert.doesNotMatch(await adviceOf(true), /create secret/);
  assert.match(await adviceOf(false), /create secret/);
});

test("a name that no host can have is told as that, and not as an answer", async () => {
  const { send } = new ScriptedRegistries({});
  for (const image of ["registry_example.com/shop/web:1", "registry.example.com:99999/shop/web:1"]) {
    for (const words of [[], ["--no-network"]]) {
      const causes = await explain(image, send, words);
      assert.deepEqual(
        causes.map(({ code }) => code),
        ["NAME_INVALID"],
        image,
      );
    }
  }
});

test("what Docker Hub refuses of its own images isn't there; of others that is open", async () => {
  const hub: ScriptedRegistry = { users: { alice: "alice-opens-sesame" }, auth: "token" };
  const { send } = new ScriptedRegistries({ "registry-1.docker.io": hub, "auth.docker.io": hub });
  const codes = async (image: string): Promise<readonly string[]> =>
    (await explain(image, send)).map(({ code }) => code);
  assert.deepEqual(await codes("ngnix:1"), ["REPOSITORY_MISSING"]);
  assert.deepEqual(await codes("acme/web:1"), ["NO_CREDENTIALS"]);
});

test("localhost is the node itself, and what Podman calls so is to be pushed", async () => {
  const { send } = new ScriptedRegistries({ localhost: { fail: "NETWORK_REFUSED" } });
  const [cause] = await explain("localhost/web:1", send);
  assert.equal(cause?.code, "CONNECTION_REFUSED");
  assert.equal(cause.advice[0]?.command, "podman push localhost/web:1 REGISTRY/web:1");
});

test("what is no image is told, though it would come; a volume may hold it", async () => {
  const configType = "application/vnd.cncf.helm.config.v1+json";
  const { send } = new ScriptedRegistries({ [HOST]: { images: { "shop/chart:1": { configType } } } });
  const [cause, ...more] = await explain(`${HOST}/shop/chart:1`, send);
  assert.deepEqual([cause?.code, cause?.severity, more.length], ["MANIFEST_UNSUPPORTED", "risk", 0]);
  assert.match(cause?.summary ?? "", /its config is application\/vnd\.cncf\.helm/);
  const volumes = [{ name: "chart", image: { reference: `${HOST}/shop/chart:1` } }];
  const { send: open } = new ScriptedRegistries({
    [HOST]: { images: { "shop/chart:1": { configType }, "shop/web:1": {} } },
  });
  assert.deepEqual(await explain(`${HOST}/shop/web:1`, open, [], { volumes }), []);
});
