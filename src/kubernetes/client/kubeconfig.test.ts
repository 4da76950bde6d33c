import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { after, test } from "node:test";
import { KubernetesClientError } from "./errors.ts";
import type { PluginRun } from "./exec-credentials.ts";
import { isInCluster, loadInCluster } from "./in-cluster.ts";
import { type KubeconfigOptions, loadKubeconfig } from "./kubeconfig.ts";
import { impatientClock } from "./testing.ts";

const folder = await mkdtemp(join(tmpdir(), "dray-kubeconfig-"));
after(() => rm(folder, { recursive: true }));

async function write(name: string, content: string | object): Promise<string> {
  const path = join(folder, name);
  await writeFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

const encode = (text: string): string => Buffer.from(text).toString("base64");

/** One of each, with these members. */
function config(cluster: object, user: object, more: object = {}): object {
  return {
    apiVersion: "v1",
    kind: "Config",
    "current-context": "c",
    clusters: [{ name: "cl", cluster: { server: "https://10.0.0.1:6443", ...cluster } }],
    users: [{ name: "us", user }],
    contexts: [{ name: "c", context: { cluster: "cl", user: "us", ...more } }],
  };
}

async function load(
  content: object,
  options: Partial<KubeconfigOptions> = {},
): ReturnType<typeof loadKubeconfig> {
  return await loadKubeconfig({ env: {}, file: await write("config", content), ...options });
}

test("files of KUBECONFIG are merged: first come, first kept; missing ones and empty names don't count", async () => {
  const one = await write("one", {
    contexts: [{ name: "a", context: { cluster: "x", user: "u", namespace: "first" } }],
    users: [{ name: "u", user: { token: "one" } }],
  });
  const two = await write("two", {
    "current-context": "a",
    contexts: [{ name: "a", context: { cluster: "y", user: "v" } }],
    clusters: [
      { name: "x", cluster: { server: "https://two", "certificate-authority-data": encode("CA") } },
      { name: "x", cluster: { server: "https://twice" } },
    ],
    users: [{ name: "u", user: { token: "two" } }],
  });
  const three = await write("three", { "current-context": "b" });
  const env = { KUBECONFIG: ["", one, join(folder, "none"), two, three].join(delimiter), HOME: "/nowhere" };
  const loaded = await loadKubeconfig({ env });
  assert.equal(loaded.server, "https://two");
  assert.equal(loaded.certificateAuthority, "CA");
  assert.equal(loaded.namespace, "first");
  assert.equal((await loaded.credentials.get()).token?.reveal(), "one");
  assert.equal((await loadKubeconfig({ env, namespace: "mine" })).namespace, "mine");
});

test("paths in a kubeconfig start at its folder; tokens and certificates in files are read again", async () => {
  const clock = impatientClock();
  await write("ca.pem", "AUTHORITY");
  await write("token", "first\n");
  await write("cert.pem", "CERT");
  await write("key.pem", "KEY");
  const user = {
    tokenFile: "token",
    token: "older",
    "client-certificate": "cert.pem",
    "client-key": join(folder, "key.pem"),
    username: "u",
    password: "p",
    as: "jane",
    "as-groups": ["g"],
    "as-user-extra": { scopes: ["a", "b"] },
  };
  const cluster = {
    "certificate-authority": "ca.pem",
    "tls-server-name": "n",
    "proxy-url": "http://proxy:3128",
  };
  const loaded = await load(config(cluster, user, { namespace: "shop" }), { clock });
  const { certificateAuthority, serverName, proxy, namespace, impersonate } = loaded;
  assert.deepEqual(
    [certificateAuthority, serverName, proxy, namespace],
    ["AUTHORITY", "n", "http://proxy:3128", "shop"],
  );
  assert.deepEqual(impersonate, {
    user: "jane",
    uid: undefined,
    groups: ["g"],
    extra: { scopes: ["a", "b"] },
  });
  const credential = await loaded.credentials.get();
  assert.equal(credential.token?.reveal(), "first");
  assert.equal(credential.basic?.password.reveal(), "p");
  assert.deepEqual(
    [credential.certificate?.certificate, credential.certificate?.key.reveal()],
    ["CERT", "KEY"],
  );
  await write("token", "second");
  assert.equal((await loaded.credentials.get()).token?.reveal(), "first");
  await clock.wait(60_000);
  assert.equal((await loaded.credentials.get()).token?.reveal(), "second");
  await rm(join(folder, "token"));
  await clock.wait(60_000);
  assert.equal((await loaded.credentials.get()).token?.reveal(), "second", "what was known stays");
});

test("a proxy of the environment serves clusters that name none", async () => {
  const selectProxy = (server: URL): URL | undefined =>
    server.hostname === "10.0.0.1" ? new URL("http://env:1") : undefined;
  assert.equal((await load(config({}, {}), { selectProxy })).proxy, "http://env:1/");
  assert.equal(
    (await load(config({ "proxy-url": "http://own:2" }, {}), { selectProxy })).proxy,
    "http://own:2",
  );
  assert.equal((await load(config({ server: "https://10.0.0.2" }, {}), { selectProxy })).proxy, undefined);
});

test("every fault says which file, which entry and what", async () => {
  const file = join(folder, "config");
  const cases: readonly (readonly [object, string])[] = [
    [{ kind: "Pod", apiVersion: "v1" }, 'it holds "Pod" of "v1", not a Config of v1'],
    [{ clusters: {} }, "clusters is not a list"],
    [{ users: [{ user: {} }] }, "users[0] has no name"],
    [{ contexts: [] }, "no context is current; choose one with kubectl config use-context"],
    [{ "current-context": "x" }, 'there is no context "x"'],
    [{ ...config({}, {}), clusters: [] }, 'context "c" names cluster "cl", which is not there'],
    [{ ...config({}, {}), users: [] }, 'context "c" names user "us", which is not there'],
    [config({ server: "ftp://x" }, {}), 'cluster "cl" has server "ftp://x", which is no http or https URL'],
    [config({ server: 5 }, {}), 'cluster "cl" has server, which is not a text'],
    [
      config({ "certificate-authority": "no" }, {}),
      `cluster "cl" has certificate-authority "${join(folder, "no")}", which can't be read (ENOENT)`,
    ],
    [
      config({ "certificate-authority-data": "%" }, {}),
      'cluster "cl" has certificate-authority-data, which is not base64',
    ],
    [
      config({ "certificate-authority-data": encode("x"), "insecure-skip-tls-verify": true }, {}),
      'cluster "cl" has both a certificate authority and insecure-skip-tls-verify',
    ],
    [
      config({ "insecure-skip-tls-verify": "yes" }, {}),
      'cluster "cl" has insecure-skip-tls-verify, which is neither true nor false',
    ],
    [
      config({ "proxy-url": "socks5://p" }, {}),
      'cluster "cl" has proxy-url "socks5://p", and only http and https proxies can be used',
    ],
    [config({}, { "client-key-data": encode("x") }), 'user "us" has a client key without its certificate'],
    [
      config({}, { "client-certificate-data": encode("x") }),
      'user "us" has a client certificate without its key',
    ],
    [
      config({}, { "auth-provider": { name: "gcp" } }),
      'user "us" has an auth-provider, which Kubernetes has given up; use exec in its place',
    ],
    [
      config({}, { tokenFile: "no" }),
      `user "us" has tokenFile "${join(folder, "no")}", which can't be read (ENOENT)`,
    ],
    [config({}, { "as-groups": ["g"] }), 'user "us" has as-groups without as'],
    [
      config({}, { exec: { apiVersion: "client.authentication.k8s.io/v1alpha1" } }),
      'user "us" with exec has apiVersion "client.authentication.k8s.io/v1alpha1"; known are client.authentication.k8s.io/v1, client.authentication.k8s.io/v1beta1',
    ],
    [
      config({}, { exec: { apiVersion: "client.authentication.k8s.io/v1" } }),
      'user "us" with exec has no command',
    ],
    [
      config({}, { exec: { apiVersion: "client.authentication.k8s.io/v1", command: "x" } }),
      'user "us" with exec has no interactiveMode',
    ],
    [
      config(
        {},
        { exec: { apiVersion: "client.authentication.k8s.io/v1", command: "x", interactiveMode: "Always" } },
      ),
      'user "us" with exec wants to ask on a terminal, and there is none for it here',
    ],
  ];
  for (const [content, message] of cases) {
    await assert.rejects(load(content), (error: unknown) => {
      assert.ok(error instanceof KubernetesClientError);
      assert.equal(error.message, `Cannot use kubeconfig "${file}": ${message}`);
      return true;
    });
  }
  const broken = await write("broken", "users:\n- name: {{secret\n");
  await assert.rejects(loadKubeconfig({ env: {}, file: broken }), (error: unknown) => {
    assert.ok(error instanceof KubernetesClientError);
    assert.match(error.message, /^Cannot use kubeconfig ".*broken": line \d, column \d+ is not YAML$/v);
    return true;
  });
  const missing = { env: { HOME: join(folder, "home") } };
  await assert.rejects(loadKubeconfig(missing), { code: "CONFIG_UNREADABLE" });
  await assert.rejects(loadKubeconfig({ env: {}, file: join(folder, "none") }), {
    code: "CONFIG_UNREADABLE",
  });
  await assert.rejects(load(config({}, {}), { context: "other" }), { code: "CONFIG_INVALID" });
});

const EXEC = {
  apiVersion: "client.authentication.k8s.io/v1",
  command: "./login",
  args: ["a"],
  env: [{ name: "REGION", value: "here" }],
  interactiveMode: "IfAvailable",
  provideClusterInfo: true,
  installHint: "get it from the shop",
};

function credential(status: object): string {
  return JSON.stringify({ kind: "ExecCredential", apiVersion: EXEC.apiVersion, status });
}

test("an exec plugin is told of the cluster, runs once for all who wait, and again when its answer ends", async () => {
  const clock = impatientClock();
  const runs: PluginRun[] = [];
  const loaded = await load(
    config(
      { extensions: [{ name: "client.authentication.k8s.io/exec", extension: { audience: "x" } }] },
      { exec: EXEC },
    ),
    {
      clock,
      env: { PATH: "/bin" },
      runPlugin: (run) => {
        runs.push(run);
        const expirationTimestamp = new Date(clock.now() + 10_000).toISOString();
        return Promise.resolve(credential({ token: `t${runs.length}`, expirationTimestamp }));
      },
    },
  );
  const token = async (): Promise<string | undefined> => (await loaded.credentials.get()).token?.reveal();
  assert.deepEqual(await Promise.all([token(), token()]), ["t1", "t1"]);
  await clock.wait(9999);
  assert.equal(await token(), "t1");
  await clock.wait(1);
  assert.equal(await token(), "t2");
  loaded.credentials.renew?.();
  assert.equal(await token(), "t3");
  const [run] = runs;
  assert.deepEqual(
    [run?.command, run?.args, run?.env["REGION"], run?.env["PATH"]],
    [join(folder, "login"), ["a"], "here", "/bin"],
  );
  assert.deepEqual(JSON.parse(run?.env["KUBERNETES_EXEC_INFO"] ?? ""), {
    kind: "ExecCredential",
    apiVersion: EXEC.apiVersion,
    spec: { cluster: { server: "https://10.0.0.1:6443", config: { audience: "x" } }, interactive: false },
  });
});

test("what an exec plugin does wrong is told without what it printed", async () => {
  const cases: readonly (readonly [string, RegExp])[] = [
    ["s3cret", /printed no JSON$/v],
    ['{"kind":"Secret"}', /printed no ExecCredential$/v],
    [
      '{"kind":"ExecCredential","apiVersion":"client.authentication.k8s.io/v1beta1"}',
      /did not answer in .*\/v1$/v,
    ],
    [JSON.stringify({ kind: "ExecCredential", apiVersion: EXEC.apiVersion }), /printed no status$/v],
    [credential({}), /printed neither a token nor a certificate$/v],
    [credential({ clientKeyData: "s3cret" }), /printed half of a certificate and its key$/v],
    [
      credential({ token: "s3cret", expirationTimestamp: "soon" }),
      /expirationTimestamp, which is not a time$/v,
    ],
    [credential({ token: 5 }), /printed token, which is not a text$/v],
  ];
  for (const [output, words] of cases) {
    const loaded = await load(config({}, { exec: EXEC }), { runPlugin: () => Promise.resolve(output) });
    await assert.rejects(loaded.credentials.get(), (error: unknown) => {
      assert.ok(error instanceof KubernetesClientError);
      assert.equal(error.code, "HELPER_FAILED");
      assert.match(error.message, words);
      assert.doesNotMatch(`${error.message} ${String(error.cause)}`, /s3cret/v);
      return true;
    });
  }
});

test("exec plugins are programs: their output counts, their failure is told, a missing one says where to get it", async () => {
  const program = await write("login", '#!/bin/sh\nif [ "$1" = fail ]; then echo s3cret >&2; exit 3; fi\n');
  const { chmod } = await import("node:fs/promises");
  await chmod(program, 0o755);
  const answer = credential({ clientCertificateData: "CERT", clientKeyData: "KEY" });
  await write(
    "login",
    `#!/bin/sh\nif [ "$1" = fail ]; then echo s3cret >&2; exit 3; fi\nprintf '%s' '${answer}'\n`,
  );
  const good = await load(config({}, { exec: EXEC }));
  assert.equal((await good.credentials.get()).certificate?.certificate, "CERT");
  const bad = await load(config({}, { exec: { ...EXEC, args: ["fail"] } }));
  await assert.rejects(bad.credentials.get(), {
    code: "HELPER_FAILED",
    message: `Cannot use kubeconfig "${join(folder, "config")}": user "us" with exec failed: "${program}" ended with 3`,
  });
  const none = await load(config({}, { exec: { ...EXEC, command: "./none" } }));
  await assert.rejects(none.credentials.get(), {
    code: "HELPER_MISSING",
    message: `Cannot use kubeconfig "${join(folder, "config")}": user "us" with exec names command "${join(folder, "none")}", which is not there; get it from the shop`,
  });
});

test("in a Pod, the ServiceAccount's files say it all, and its token is read again", async () => {
  const clock = impatientClock();
  const env = { KUBERNETES_SERVICE_HOST: "fd00::1", KUBERNETES_SERVICE_PORT: "443" };
  await write("token", "t1");
  await write("ca.crt", "CA");
  await write("namespace", "shop\n");
  const loaded = await loadInCluster({ env, folder, clock });
  assert.deepEqual(
    [loaded.server, loaded.certificateAuthority, loaded.namespace],
    ["https://[fd00::1]:443", "CA", "shop"],
  );
  await write("token", "t2");
  await clock.wait(60_000);
  assert.equal((await loaded.credentials.get()).token?.reveal(), "t2");
  assert.equal(isInCluster({ env }), true);
  assert.equal(isInCluster({ env: {} }), false);
  const selectProxy = ({ protocol }: URL): URL => new URL(`http://proxy-of-${protocol.slice(0, -1)}:1`);
  assert.equal((await loadInCluster({ env, folder, clock, selectProxy })).proxy, "http://proxy-of-https:1/");
  await assert.rejects(loadInCluster({ env: {}, folder }), { code: "CONFIG_INVALID" });
  await assert.rejects(loadInCluster({ env, folder: join(folder, "none") }), { code: "CONFIG_UNREADABLE" });
});
