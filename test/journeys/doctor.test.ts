/** `dray doctor node` on nodes that are right, and on nodes with everything wrong that can be. */
import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";

import { FINDINGS, type Finding, type FindingCode, type Looked } from "../../src/cli/doctor/finding.ts";
import type { DoctorValues, NodePlaces } from "../../src/cli/doctor/options.ts";
import { runDoctor } from "../../src/cli/doctor/run-doctor.ts";
import { createMemoryContext } from "../../src/cli/testing.ts";
import { ClientError, type HttpResponse, type HttpSend } from "../../src/client/index.ts";
import { TEST_CA } from "../tls-fixture.ts";
import { serve } from "./prefetch-world.ts";

const NOW = Date.UTC(2026, 0, 2, 12);

interface Report {
  readonly code: number;
  readonly findings: readonly Finding[];
  readonly checked: readonly Looked[];
  readonly unchecked: readonly Looked[];
  /** All that was printed. */
  readonly text: string;
}

interface World {
  readonly folder: string;
  readonly write: (path: string, text: string, mode?: number) => Promise<string>;
  readonly examine: (
    values?: DoctorValues,
    more?: {
      readonly send?: HttpSend;
      readonly env?: Readonly<Record<string, string>>;
      readonly uid?: number;
      readonly now?: number;
    },
  ) => Promise<Report>;
}

async function setUp(t: TestContext, places: Partial<NodePlaces> = {}): Promise<World> {
  const folder = await mkdtemp(join(tmpdir(), "dray-doctor-"));
  t.after(() => rm(folder, { recursive: true }));
  const bundle = join(folder, "bundle.crt");
  await writeFile(bundle, TEST_CA);
  const kubelet = join(folder, "kubelet");
  await mkdir(kubelet);
  const write: World["write"] = async (path, text, mode = 0o600) => {
    const full = join(folder, path);
    await mkdir(join(full, ".."), { recursive: true });
    await writeFile(full, text);
    await chmod(full, mode);
    return full;
  };
  const examine: World["examine"] = async (values = {}, { send, env = {}, uid = 0, now = NOW } = {}) => {
    const context = { ...createMemoryContext({ cwd: folder, home: folder, env, now: () => now }), uid };
    const wanted = { "kubelet-root": kubelet, ...values };
    const usual = {
      containerdConfig: "/nonexistent",
      proc: join(folder, "proc"),
      sockets: [],
      hostsDirs: [],
      caBundles: [bundle],
      ...places,
    };
    const code = await runDoctor({ values: { ...wanted, json: true }, places: usual, send }, context);
    const text = context.stdout.text + context.stderr.text;
    return { code, text, ...(JSON.parse(context.stdout.text) as Omit<Report, "code" | "text">) };
  };
  return { folder, write, examine };
}

function codesOf({ findings }: Report, about = ""): readonly FindingCode[] {
  return findings.filter(({ where }) => where.includes(about)).map(({ code }) => code);
}

/** Registries that answer by their host. */
function answering(by: Readonly<Record<string, number | ClientError>>, date = NOW): HttpSend {
  return ({ url }) => {
    const answer = by[url.host] ?? 401;
    if (typeof answer !== "number") return Promise.reject(answer);
    const headers = new Map([["date", new Date(date).toUTCString()]]);
    const response: HttpResponse = {
      status: answer,
      url,
      header: (name) => headers.get(name),
      headers: () => [],
      pump: () => Promise.resolve(),
      bytes: () => Promise.resolve(new Uint8Array()),
      discard: () => Promise.resolve(),
    };
    return Promise.resolve(response);
  };
}

test(
  "a node that is right has nothing to mend, and says what was looked at",
  { timeout: 300_000 },
  async (t) => {
    const { folder, write, examine } = await setUp(t);
    const { socket } = await serve(t, folder);
    const config = `apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
serializeImagePulls: false
imageGCHighThresholdPercent: 100
imageGCLowThresholdPercent: 99
imageMaximumGCAge: 24h
evictionHard: {memory.available: 100Mi}
imageServiceEndpoint: unix://${socket}
`;
    await write("kubelet/config.yaml", config);
    await write("kubelet/config.json", '{"auths":{"r.example":{"username":"me","password":"hush-hush"}}}');
    await write("certs.d/r.example/hosts.toml", '[host."https://mirror.example"]\n');
    const report = await examine(
      { "hosts-dir": ["certs.d"] },
      { send: answering({ "mirror.example": 200 }) },
    );
    assert.deepEqual(report.findings, []);
    assert.equal(report.code, 0);
    const seen = report.checked.map(({ area, what }) => `${area}: ${what}`).join("\n");
    for (const part of [
      /sockets: .*dray .*0 images/,
      /config\.json: r\.example/,
      /mirror\.example/,
      /clock: it agrees/,
    ]) {
      assert.match(seen, part);
    }
    assert.ok(!report.text.includes("hush-hush"));
  },
);

test(
  "sockets that are missing, silent, no sockets or open to all are told apart",
  { timeout: 300_000 },
  async (t) => {
    const { folder, write, examine } = await setUp(t, { sockets: ["/nonexistent/cri.sock"] });
    assert.deepEqual(codesOf(await examine()), ["CRI_SOCKET_NONE"]);
    const deaf = join(folder, "deaf.sock");
    const server = createServer((connection) => connection.destroy());
    await new Promise<void>((resolve) => server.listen(deaf, resolve));
    t.after(() => server.close());
    await chmod(deaf, 0o666);
    await write("file.sock", "");
    const report = await examine({ socket: ["gone.sock", "file.sock", `unix://${deaf}`] });
    assert.deepEqual(codesOf(report), [
      "CRI_SOCKET_MISSING",
      "CRI_SOCKET_INVALID",
      "CRI_SOCKET_OPEN",
      "CRI_UNANSWERED",
    ]);
    assert.equal(report.code, 8);
  },
);

test("credentials files are looked at one by one, and no secret is told", async (t) => {
  const { write, examine } = await setUp(t);
  await write("kubelet/config.json", '{"auths":{"a.example":{"auth":"bm8tY29sb24tc2VjcmV0"}}}');
  await write(
    ".docker/config.json",
    '{"auths":{"b.example":{},"c.example":{"username":"u","password":"top-secret"}},"credsStore":"desktop","credHelpers":{"d.example":"x"}}',
    0o644,
  );
  await write(".dockercfg", '{"e.example":{"username":"u","password":"top-secret"}}');
  const report = await examine();
  assert.deepEqual(codesOf(report, "kubelet/config.json"), ["CREDENTIALS_INVALID"]);
  assert.deepEqual(codesOf(report, ".docker/config.json").toSorted(), [
    "CREDENTIALS_EMPTY",
    "CREDENTIALS_HELPERS_IGNORED",
    "CREDENTIALS_HELPERS_IGNORED",
    "CREDENTIALS_OPEN",
  ]);
  assert.deepEqual(codesOf(report, ".dockercfg"), ["CREDENTIALS_SHADOWED"]);
  assert.ok(!/top-secret|colon-secret|bm8tY29/.test(report.text));
});

test("provider configurations are judged as the kubelet judges them, and all of it at once", async (t) => {
  const { folder, write, examine } = await setUp(t);
  const provider = (name: string, more = ""): string =>
    `- name: ${name}\n  apiVersion: credentialprovider.kubelet.k8s.io/v1\n  matchImages: ["*.example"]\n  defaultCacheDuration: 1m\n${more}`;
  const config = (...providers: readonly string[]): string =>
    `apiVersion: kubelet.config.k8s.io/v1\nkind: CredentialProviderConfig\nproviders:\n${providers.join("")}`;
  const flags = (file: string): DoctorValues => ({
    "image-credential-provider-config": file,
    "image-credential-provider-bin-dir": "bin",
  });
  await mkdir(join(folder, "bin"));
  assert.deepEqual(codesOf(await examine({ "image-credential-provider-bin-dir": "bin" })), [
    "PROVIDER_FLAGS",
  ]);

  await write("bad.yaml", config("- name: a b\n  apiVersion: v2\n"));
  const bad = await examine(flags("bad.yaml"));
  assert.ok(codesOf(bad).length >= 4 && codesOf(bad).every((code) => code === "PROVIDER_CONFIG_INVALID"));

  const answer = {
    kind: "CredentialProviderResponse",
    apiVersion: "credentialprovider.kubelet.k8s.io/v1",
    cacheKeyType: "Image",
    auth: { "r.example": { username: "u", password: "plugin-secret" } },
  };
  await write("bin/good", `#!/bin/sh\ncat >/dev/null\necho '${JSON.stringify(answer)}'\n`, 0o755);
  await write("bin/plain", "", 0o644);
  await write("bin/open", "#!/bin/sh\n", 0o777);
  await write("bin/fails", "#!/bin/sh\necho plugin-secret >&2\nexit 3\n", 0o755);
  await write("some.yaml", config(provider("good"), provider("plain"), provider("open"), provider("none")));
  const some = await examine({ ...flags("some.yaml"), "run-providers": ["r.example/app"] });
  assert.deepEqual(codesOf(some), [
    "PROVIDER_BINARY_UNUSABLE",
    "PROVIDER_BINARY_OPEN",
    "PROVIDER_BINARY_MISSING",
  ]);

  await write("run.yaml", config(provider("good"), provider("fails")));
  const quiet = await examine(flags("run.yaml"));
  assert.deepEqual(codesOf(quiet), []);
  assert.match(quiet.unchecked.map(({ what }) => what).join("\n"), /providers weren't run/);
  const ran = await examine({ ...flags("run.yaml"), "run-providers": ["r.example/app", "other.test/app"] });
  assert.deepEqual(codesOf(ran), ["PROVIDER_FAILED"]);
  assert.match(
    ran.unchecked.map(({ what }) => what).join("\n"),
    /no provider's matchImages match other\.test\/app/,
  );
  assert.ok(!ran.text.includes("plugin-secret"));
});

test("hosts.toml files, their certificates and what they name are looked at", async (t) => {
  const { write, examine } = await setUp(t);
  await write("certs.d/bad.example/hosts.toml", "server = [\n");
  await write("certs.d/empty.example/notes", "");
  await write("certs.d/old.example_5000_/ca.crt", TEST_CA);
  const text =
    'skip_verify = true\n[host."https://down.example"]\nca = "none.crt"\n[host."https://down.example".header]\nauthorization = "Basic c2VjcmV0"\n';
  await write("certs.d/open.example/hosts.toml", text, 0o644);
  const mirrors = ["untrusted", "down", "busy", "web"].map((name) => `[host."https://${name}.example"]\n`);
  await write("certs.d/many.example/hosts.toml", mirrors.join(""));
  const send = answering({
    "untrusted.example": new ClientError("TLS_UNKNOWN_AUTHORITY", "Cannot trust it"),
    "down.example": new ClientError("NETWORK_REFUSED", "Cannot connect"),
    "busy.example": 503,
    "web.example": 404,
    "gone.example": new ClientError("NETWORK_DNS", "Cannot find it"),
  });
  const report = await examine({ "hosts-dir": ["certs.d", "gone.d"], registry: ["gone.example"] }, { send });
  assert.deepEqual(codesOf(report, "bad.example"), ["HOSTS_INVALID"]);
  assert.deepEqual(codesOf(report, "empty.example"), ["HOSTS_EMPTY"]);
  assert.deepEqual(codesOf(report, "old.example"), []);
  assert.deepEqual(codesOf(report, "open.example/").toSorted(), [
    "HOSTS_FILES_UNUSABLE",
    "HOSTS_SECRET_READABLE",
    "HOSTS_SKIP_VERIFY",
  ]);
  assert.deepEqual(codesOf(report, "gone.d"), ["HOSTS_DIR_MISSING"]);
  assert.deepEqual(codesOf(report, "(for many.example)").toSorted(), [
    "MIRROR_FAILING",
    "MIRROR_NOT_ONE",
    "MIRROR_UNREACHABLE",
    "MIRROR_UNTRUSTED",
  ]);
  assert.deepEqual(codesOf(report, "gone.example"), ["REGISTRY_UNREACHABLE"]);
  assert.ok(!report.text.includes("c2VjcmV0"));
  const offline = await examine(
    { "hosts-dir": ["certs.d"], "no-network": true },
    { send: () => assert.fail("asked") },
  );
  assert.deepEqual(codesOf(offline, "(for many.example)"), []);
  assert.ok(offline.unchecked.some(({ area }) => area === "clock"));
});

test("a running kubelet's flags say where its files are", async (t) => {
  const { folder, write, examine } = await setUp(t);
  const flags = [
    "/usr/bin/kubelet",
    `--config=${folder}/its.yaml`,
    "--image-credential-provider-config",
    `${folder}/providers.yaml`,
    "--container-runtime-endpoint=unix:///nonexistent/its.sock",
  ];
  await write("proc/17/cmdline", `${["sleep", "kubelet"].join("\0")}\0`);
  await write("proc/42/cmdline", `${flags.join("\0")}\0`);
  const report = await examine();
  assert.deepEqual(codesOf(report), ["KUBELET_CONFIG_UNREADABLE", "CRI_SOCKET_MISSING", "PROVIDER_FLAGS"]);
  assert.ok(report.checked.some(({ what }) => what.startsWith("process 42")));
});

test("a directory that containerd's configuration leaves out is told of", async (t) => {
  const { folder, write, examine } = await setUp(t);
  const { socket } = await serve(t, folder);
  await write("certs.d/r.example/hosts.toml", 'server = "https://r.example"\n');
  const config = (text: string): Promise<string> => write("config.toml", text);
  const look = (): Promise<Report> =>
    examine({ socket: [socket], "containerd-config": "config.toml", "no-network": true });
  const seen = ({ checked }: Report): string => checked.map(({ what }) => what).join("\n");
  await config(
    `version = 3\n[plugins."io.containerd.cri.v1.images".registry]\nconfig_path = "${folder}/certs.d:/other"\n`,
  );
  assert.match(
    seen(await look()),
    /certs\.d\/r\.example\/hosts\.toml: r\.example/,
    "looked at without being named",
  );
  await config(`version = 2\n[plugins."io.containerd.grpc.v1.cri".registry]\nconfig_path = ""\n`);
  assert.match(seen(await look()), /looked for nowhere/);
  await config('password = "hush-hush\n');
  const broken = await look();
  assert.deepEqual(codesOf(broken, "config.toml"), ["CONTAINERD_CONFIG_INVALID"]);
  assert.ok(!broken.text.includes("hush"));
});

test("the clock is compared with what registries say", async (t) => {
  const { examine } = await setUp(t);
  for (const [date, codes] of [
    [NOW + 10_000, []],
    [NOW - 90_000, ["CLOCK_DRIFT"]],
    [NOW + 3_600_000, ["CLOCK_OFF"]],
  ] as const) {
    const report = await examine({ registry: ["r.example"] }, { send: answering({}, date) });
    assert.deepEqual(codesOf(report), codes);
  }
});

test("KubeletConfiguration, authorities and proxies are read as they will be", async (t) => {
  const { write, examine } = await setUp(t);
  const head = "apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n";
  await write(
    "kubelet/config.yaml",
    `${head}imageGCHighThresholdPercent: 50\nimageGCLowThresholdPercent: 60\nmaxParallelImagePulls: 3\nserializeImagePulls: true\n`,
  );
  const faults = await examine();
  assert.deepEqual(codesOf(faults, "config.yaml"), ["KUBELET_CONFIG_INVALID", "KUBELET_CONFIG_INVALID"]);
  assert.match(faults.findings[0]?.what ?? "", /^invalid configuration: imageGCLowThresholdPercent /);
  await write("kubelet/config.yaml", `${head}evictionHard: {nodefs.available: "100%"}\n`);
  assert.deepEqual(codesOf(await examine()).toSorted(), ["DISK_EVICTION", "PULLS_ONE_BY_ONE"]);
  assert.deepEqual(codesOf(await examine({ "kubelet-config": "other.yaml" }), "other.yaml"), [
    "KUBELET_CONFIG_UNREADABLE",
  ]);

  await write(
    "kubelet/config.yaml",
    `${head}evictionHard: {memory.available: 1Gi}\nserializeImagePulls: false\n`,
  );
  await write("junk.crt", "junk");
  const env = {
    SSL_CERT_FILE: "junk.crt",
    HTTPS_PROXY: "http://user:proxy-secret@proxy.example:3128",
    https_proxy: "http://other.example",
  };
  const around = await examine({ registry: ["registry.internal"], "no-network": true }, { env });
  assert.deepEqual(codesOf(around).toSorted(), ["CA_UNUSABLE", "PROXY_FOR_PRIVATE", "PROXY_SPLIT"]);
  assert.ok(!around.text.includes("proxy-secret"));
  const wrong = await examine({}, { env: { HTTP_PROXY: "ftp://user:proxy-secret@x" } });
  assert.deepEqual(codesOf(wrong), ["PROXY_INVALID"]);
  assert.ok(!wrong.text.includes("proxy-secret"));
  await write("kubelet.crt", TEST_CA);
  const late = { env: { SSL_CERT_FILE: "kubelet.crt" } };
  assert.deepEqual(codesOf(await examine({}, { ...late, now: Date.UTC(2126, 9, 20) })), ["CA_EXPIRES_SOON"]);
  assert.deepEqual(codesOf(await examine({}, { ...late, now: Date.UTC(2127, 0) })), ["CA_EXPIRED"]);
  const asUser = await examine({}, { uid: 1000 });
  assert.ok(asUser.unchecked.some(({ area }) => area === "permissions"));
});

test("the guide names every code", async () => {
  const guide = await readFile(new URL("../../docs/guides/doctor.md", import.meta.url), "utf8");
  for (const [code, [severity, meaning]] of Object.entries(FINDINGS)) {
    assert.ok(guide.includes(`| \`${code}\` | ${severity} | ${meaning} |`), code);
  }
});
