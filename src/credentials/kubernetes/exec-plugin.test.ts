import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";

import { Secret } from "../../internal/secret.ts";
import { type RunProgram, runProgram } from "../run-program.ts";
import { StaticSource } from "../static-source.ts";
import { answerProviderRequest } from "./answer-request.ts";
import { ExecPlugin, type ExecPluginOptions, type PluginRun } from "./exec-plugin.ts";
import { PROVIDER_API_V1 } from "./provider-api.ts";
import { registerCredentialProviders } from "./register-providers.ts";

let folder: string;
before(async () => (folder = await mkdtemp(join(tmpdir(), "dray-exec-plugin-"))));
after(async () => await rm(folder, { recursive: true }));

const RESPONSE = {
  kind: "CredentialProviderResponse",
  apiVersion: PROVIDER_API_V1,
  cacheKeyType: "Registry",
  auth: { "r.io": { username: "u", password: "p" } },
};

async function program(name: string, body: string): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, `#!/bin/sh\n${body}\n`);
  await chmod(path, 0o755);
  return path;
}

function pluginOf(options: Partial<ExecPluginOptions>): ExecPlugin {
  return new ExecPlugin({
    name: "plugin",
    path: "/nowhere/plugin",
    apiVersion: PROVIDER_API_V1,
    systemEnvironment: [`PATH=${process.env["PATH"] ?? ""}`],
    ...options,
  });
}

async function problemOf(plugin: ExecPlugin): Promise<string> {
  return await plugin.exec({ image: "r.io/a" }).then(
    () => "no problem",
    (error: unknown) => (error as Error).message,
  );
}

/** Answers every run with `stdout`. */
function says(stdout: string): RunProgram {
  return () => Promise.resolve({ code: 0, stdout, stderr: "" });
}

/** Runs a real program, and lets its time end no sooner than it has said something. */
const endedOnceHeard: RunProgram = (command, input, { env, signal, onStderr }) => {
  const heard = Promise.withResolvers<void>();
  const over = new AbortController();
  signal?.addEventListener("abort", () => void heard.promise.then(() => over.abort(signal.reason)));
  return runProgram(command, input, {
    env,
    signal: over.signal,
    onStderr: (text) => {
      onStderr?.(text);
      heard.resolve();
    },
  });
};

const FAILED = "error execing credential provider plugin plugin for image r.io/a";

describe("a real program", () => {
  test("gets request, arguments and environment, and its answer is read", async () => {
    const script = `read line; printf '%s' '${JSON.stringify(RESPONSE)}' | sed "s/\\"u\\"/\\"$1 $MODE $KEPT\\"/"; echo "$line" > "${folder}/request"`;
    const runs: PluginRun[] = [];
    const plugin = pluginOf({
      path: await program("good", script),
      args: ["get"],
      env: [{ name: "MODE", value: new Secret("new") }],
      systemEnvironment: [`PATH=${process.env["PATH"] ?? ""}`, "MODE=old", "KEPT=kept"],
      onRun: (run) => runs.push(run),
    });
    const { auth } = await plugin.exec({ image: "r.io/a" });
    assert.equal(auth.get("r.io")?.username, "get new kept");
    assert.deepEqual(
      runs.map(({ provider, failed }) => [provider, failed]),
      [["plugin", false]],
    );
  });

  test("that fails is told of with its exit code and its own words", async () => {
    const path = await program("failing", "echo no credentials today >&2; exit 3");
    assert.equal(await problemOf(pluginOf({ path })), `${FAILED}: exit status 3: no credentials today\n`);
  });

  test("that a signal ends is told of by it", async () => {
    const path = await program("killed", "kill -TERM $$");
    assert.equal(await problemOf(pluginOf({ path })), `${FAILED}: signal: terminated: `);
  });

  test("that can't be run is told of as the system does", async () => {
    const path = join(folder, "missing");
    assert.equal(
      await problemOf(pluginOf({ path })),
      `${FAILED}: fork/exec ${path}: no such file or directory: `,
    );
  });

  test("that doesn't end is ended, and what it said so far is passed on", async () => {
    const path = await program("hanging", "echo waiting >&2; exec tail -f /dev/null");
    const runs: PluginRun[] = [];
    const plugin = pluginOf({ path, timeout: 1, run: endedOnceHeard, onRun: (run) => runs.push(run) });
    assert.equal(await problemOf(plugin), `${FAILED}: context deadline exceeded: waiting\n`);
    assert.deepEqual([runs.length, runs[0]?.failed], [1, true]);
  });
});

describe("an answer", () => {
  for (const [title, stdout, problem] of [
    [
      "that isn't JSON",
      '{"apiVersion":',
      "error reading GVK from response: couldn't get version/kind; json parse error: unexpected end of JSON input",
    ],
    [
      "that is empty",
      "",
      "error reading GVK from response: couldn't get version/kind; json parse error: unexpected end of JSON input",
    ],
    [
      "of another version",
      JSON.stringify({ ...RESPONSE, apiVersion: "credentialprovider.kubelet.k8s.io/v1beta1" }),
      `apiVersion from credential plugin response did not match expected apiVersion:${PROVIDER_API_V1}, actual apiVersion:credentialprovider.kubelet.k8s.io/v1beta1`,
    ],
    [
      "of another kind",
      JSON.stringify({ ...RESPONSE, kind: "CredentialProviderRequest" }),
      "error decoding credential provider plugin response from stdout",
    ],
    [
      "with a member nobody knows",
      JSON.stringify({ ...RESPONSE, secretMember: 1 }),
      "error decoding credential provider plugin response from stdout",
    ],
    [
      "with a member of another case",
      JSON.stringify({ ...RESPONSE, CacheKeyType: "Image" }),
      "error decoding credential provider plugin response from stdout",
    ],
    [
      "with a member twice",
      JSON.stringify(RESPONSE).replace("{", '{"cacheKeyType":"Image",'),
      "error decoding credential provider plugin response from stdout",
    ],
    [
      "and another one",
      JSON.stringify(RESPONSE).repeat(2),
      "error reading GVK from response: couldn't get version/kind; json parse error: invalid character '{' after top-level value",
    ],
  ] as const) {
    test(`${title} is refused without being quoted`, async () => {
      assert.equal(await problemOf(pluginOf({ run: says(stdout) })), problem);
    });
  }
});

describe("registerCredentialProviders()", () => {
  const options = { systemEnvironment: [], now: () => 0, run: says(JSON.stringify(RESPONSE)) };
  const provider = {
    name: "good",
    matchImages: ["r.io"],
    defaultCacheDuration: "1m",
    apiVersion: PROVIDER_API_V1,
  };

  async function register(binDirectory: string, ...providers: readonly object[]): Promise<string> {
    const config = join(folder, "config.yaml");
    const document = { apiVersion: "kubelet.config.k8s.io/v1", kind: "CredentialProviderConfig", providers };
    await writeFile(config, JSON.stringify(document));
    try {
      const registered = await registerCredentialProviders({ ...options, config, binDirectory });
      const pod = { namespace: "", name: "", uid: "", serviceAccountName: "" };
      const { credentials } = await registered.providers.forPod(pod).lookup("r.io/a");
      return `${registered.providers.names.join()}: ${credentials[0]?.username}`;
    } catch (error) {
      return (error as Error).message;
    }
  }

  test("says what is wrong with the programs", async () => {
    await mkdir(join(folder, "directory"));
    await writeFile(join(folder, "plain"), "");
    await program("good", "");
    const missing = join(folder, "none");
    assert.equal(await register(missing, provider), `plugin binary directory ${missing} did not exist`);
    assert.equal(
      await register(folder, { ...provider, name: "absent" }),
      `plugin binary executable ${join(folder, "absent")} did not exist`,
    );
    assert.match(
      await register(folder, { ...provider, name: "directory" }),
      /^error inspecting .* is a directory$/,
    );
    assert.equal(
      await register(folder, { ...provider, apiVersion: "" }, { ...provider, name: "a b" }),
      'failed to validate credential provider config: [providers.apiVersion: Required value, providers.name: Invalid value: "a b": provider name cannot contain spaces]',
    );
    assert.equal(await register(folder, provider), "good: u");
  });
});

describe("answerProviderRequest()", () => {
  const source = new StaticSource([
    {
      registry: "r.io/team",
      candidate: {
        credential: { kind: "basic", username: "u", password: new Secret("p<") },
        origin: { kind: "argument", label: "test" },
      },
    },
  ]);
  const request = (image: string): string =>
    JSON.stringify({ kind: "CredentialProviderRequest", apiVersion: PROVIDER_API_V1, image });

  test("gives a kubelet what the source knows, in a line it can read", async () => {
    const line = await answerProviderRequest(request("r.io/team/app"), source, { cacheKeyType: "Registry" });
    assert.equal(
      line,
      `{"kind":"CredentialProviderResponse","apiVersion":"${PROVIDER_API_V1}","cacheKeyType":"Registry","auth":{"r.io":{"username":"u","password":"p\\u003c"}}}\n`,
    );
    const { auth } = await pluginOf({ run: says(line) }).exec({ image: "r.io/team/app" });
    assert.equal(auth.get("r.io")?.password.reveal(), "p<");
  });

  test("gives nothing for what the source doesn't know", async () => {
    assert.doesNotMatch(await answerProviderRequest(request("other.io/app"), source), /auth"/);
  });

  test("refuses what isn't a request", async () => {
    await assert.rejects(answerProviderRequest('{"kind":"Pod"}', source), { code: "PROVIDER_FAILED" });
    await assert.rejects(answerProviderRequest("{", source), { code: "PROVIDER_FAILED" });
  });
});
