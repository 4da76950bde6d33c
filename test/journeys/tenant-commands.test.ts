/** Tenants from beginning to end, with `dray up`: nobody meets anybody, and no rotation costs a pull. */
import assert from "node:assert/strict";
import { stat } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";

import type { JsonObject, KubernetesObject } from "../../src/kubernetes/index.ts";
import { digestOf } from "../../src/oci/index.ts";
import { ask, type Login, loginIn, loginOf, podOf, setUpTenants } from "./tenant-commands-world.ts";

const PATIENCE = { timeout: 300_000 };

function phaseOf(object: KubernetesObject): unknown {
  return ((object["status"] ?? {}) as JsonObject)["phase"];
}

function waitingIn(object: KubernetesObject): string {
  const { containerStatuses = [] } = (object["status"] ?? {}) as {
    containerStatuses?: readonly { state: { waiting?: { reason?: string } } }[];
  };
  return containerStatuses[0]?.state.waiting?.reason ?? "";
}

test(
  "two tenants: each has its own, and nothing of the other's, whichever way it tries",
  PATIENCE,
  async (t) => {
    const cluster = await setUpTenants(t);
    const { registry, json, push, resource, until } = cluster;
    assert.equal(await push(`${registry}/free/app:1`, { login: "anybody", secret: "x" }, "free"), 0);
    const acme = loginIn(
      await json("tenant", "create", "acme", "--namespace", "shop", "--create-namespaces"),
    );
    const globex = loginIn(await json("tenant", "create", "globex", "-n", "lab", "--create-namespaces"));
    assert.equal(await push(`${registry}/acme/app:1`, acme, "acme's"), 0);
    assert.equal(await push(`${registry}/globex/app:1`, globex, "globex's"), 0);
    const secrets = resource("secrets");
    const pullOf = async (tenant: string, namespace: string): Promise<Login> =>
      loginOf(await secrets.get(`dray-${tenant}-pull`, { namespace }));
    const everybody: readonly (readonly [string, Login | undefined, string])[] = [
      ["acme", acme, "globex"],
      ["acme", await pullOf("acme", "shop"), "globex"],
      ["globex", globex, "acme"],
      ["globex", await pullOf("globex", "lab"), "acme"],
      ["nobody", undefined, "acme"],
    ];
    for (const [who, login, other] of everybody) {
      const refused = login === undefined ? 401 : 403;
      const theirs = await ask(
        registry,
        ["GET", `/v2/${other}/app/manifests/1`],
        other === "acme" ? acme : globex,
      );
      assert.equal(theirs.status, 200);
      const manifest = digestOf(theirs.text);
      const { layers } = JSON.parse(theirs.text) as { layers: { digest: string }[] };
      const layer = layers[0]?.digest ?? "";
      for (const [method, path, body] of [
        ["GET", `/v2/${other}/app/manifests/1`],
        ["HEAD", `/v2/${other}/app/manifests/${manifest}`],
        ["GET", `/v2/${other}/app/blobs/${layer}`],
        ["GET", `/v2/${other}/app/tags/list`],
        ["GET", `/v2/${other}/app/referrers/${manifest}`],
        ["POST", `/v2/${other}/app/blobs/uploads/`],
        ["PUT", `/v2/${other}/app/manifests/2`, theirs.text],
        ["DELETE", `/v2/${other}/app/manifests/${manifest}`],
        ["GET", "/v2/free/app/tags/list"],
      ] as const) {
        const there = await ask(registry, [method, path], login, body);
        assert.equal(there.status, refused, `${who}: ${method} ${path}`);
        // What isn't there is refused in the same words.
        const nowhere = await ask(registry, [method, path.replace("/app/", "/none/")], login, body);
        assert.equal(nowhere.status, refused);
        assert.equal(nowhere.text.replaceAll("/none", "/app"), there.text);
      }
      if (login === undefined) continue;
      // A blob of the other's is fetched from nowhere: the upload begins as if there were none.
      if (login === acme || login === globex) {
        const mount = `/v2/${who}/app/blobs/uploads/?mount=${layer}&from=${other}/app`;
        assert.notEqual((await ask(registry, ["POST", mount], login)).status, 201);
        assert.equal((await ask(registry, ["HEAD", `/v2/${who}/app/blobs/${layer}`], login)).status, 404);
      } else {
        assert.equal((await ask(registry, ["POST", `/v2/${who}/app/blobs/uploads/`], login)).status, 403);
      }
      const catalog = await ask(registry, ["GET", "/v2/_catalog"], login);
      assert.deepEqual(JSON.parse(catalog.text), { repositories: [`${who}/app`] });
    }
    assert.equal((await ask(registry, ["GET", "/v2/_catalog"])).status, 401);

    const pods = resource("pods");
    for (const [namespace, own, other] of [
      ["shop", "acme", "globex"],
      ["lab", "globex", "acme"],
    ] as const) {
      await pods.create(podOf(namespace, "own", `${registry}/${own}/app:1`));
      // People call a registry of this machine now so, now otherwise.
      const byAddress = `${registry.replace("localhost", "127.0.0.1")}/${own}/app:1`;
      await pods.create(podOf(namespace, "address", byAddress));
      await pods.create(podOf(namespace, "other", `${registry}/${other}/app:1`));
      for (const name of ["own", "address"]) {
        await until(pods, ({ metadata, ...rest }) => {
          const pod = { metadata, ...rest } as KubernetesObject;
          return metadata.namespace === namespace && metadata.name === name && phaseOf(pod) === "Running";
        });
      }
      await until(pods, (pod) => {
        const { metadata } = pod;
        const failing = /^(?:ErrImagePull|ImagePullBackOff)$/.test(waitingIn(pod));
        return metadata.namespace === namespace && metadata.name === "other" && failing;
      });
    }
  },
);

test("logins are replaced again and again, while Pods come and pull: none fails", PATIENCE, async (t) => {
  const cluster = await setUpTenants(t);
  const { registry, json, push, resource, until } = cluster;
  const names = ["shop", "shop-eu"];
  const first = loginIn(
    await json(
      "tenant",
      "create",
      "acme",
      "-n",
      "shop",
      "--pull-only-namespace",
      "shop-eu",
      "--create-namespaces",
    ),
  );
  assert.equal(await push(`${registry}/acme/app:1`, first, "x"), 0);
  const pods = resource("pods");
  let [count, rotating] = [0, true];
  const comeOnce = async (namespace: string): Promise<void> => {
    const name = `p${count++}`;
    await pods.create(podOf(namespace, name, `${registry}/acme/app:1`));
    const done = await until(pods, (pod) => {
      const ends =
        phaseOf(pod) === "Running" || waitingIn(pod).startsWith("Err") || waitingIn(pod).endsWith("BackOff");
      return pod.metadata.name === name && ends;
    });
    assert.equal(phaseOf(done), "Running", JSON.stringify(done["status"]));
    await pods.delete(name, { namespace, gracePeriodSeconds: 0 });
  };
  const onTheirWay = new Map<string, Promise<void>>();
  const come = async (namespace: string): Promise<void> => {
    while (rotating) {
      const one = comeOnce(namespace);
      onTheirWay.set(namespace, one);
      await one;
    }
  };
  const coming = Promise.all(names.map(come)).finally(() => (rotating = false));
  coming.catch(() => {});
  const logins = [first];
  // As often as it takes for several Pods to have met a change; the overlap is for machines that are busy.
  while (rotating && (logins.length < 6 || count < 6)) {
    logins.push(loginIn(await json("tenant", "rotate", "acme", "--overlap", "1m")));
    const { status } = await ask(registry, ["GET", "/v2/"], logins.at(-2));
    assert.equal(status, 200, "the login of before works on");
    // Never more than two logins work: those who may have read the one of before have to be through before the next.
    await Promise.allSettled(onTheirWay.values());
  }
  rotating = false;
  await coming;
  const events = await resource("events").listAll({ namespace: "" });
  const failed = events.items.filter((event) => event["reason"] === "Failed");
  assert.deepEqual(failed, []);
  const last = loginIn(await json("tenant", "rotate", "acme", "--overlap", "0"));
  for (const login of logins) assert.equal((await ask(registry, ["GET", "/v2/"], login)).status, 401);
  assert.equal((await ask(registry, ["GET", "/v2/"], last)).status, 200);
  const tokens = new Set([...logins, last].map(({ secret }) => secret));
  assert.equal(tokens.size, logins.length + 1);
});

test(
  "a quota ends what doesn't fit, list and show tell no secret, and delete leaves what isn't the tenant's",
  PATIENCE,
  async (t) => {
    const { registry, dataDir, dray, json, push, resource } = await setUpTenants(t);
    const namespace = "shop";
    await resource("namespaces").create({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace },
    });
    const unknown = await dray("tenant", "create", "acme", "-n", "shop", "-n", "nowhere");
    assert.equal(unknown.code, 3);
    assert.match(unknown.stderr, /"nowhere".*--create-namespaces/);
    assert.equal((await dray("tenant", "list")).stdout, "", "nothing was begun");

    const secrets = resource("secrets");
    const accounts = resource("serviceaccounts");
    const theirs = { apiVersion: "v1", kind: "Secret", metadata: { name: "dray-acme-pull", namespace } };
    await secrets.create(theirs);
    const taken = await dray("tenant", "create", "acme", "-n", "shop");
    assert.equal(taken.code, 8);
    assert.match(taken.stderr, /somebody else's/);
    await secrets.delete("dray-acme-pull", { namespace });
    await accounts.patch(
      "default",
      { type: "merge", body: { imagePullSecrets: [{ name: "theirs" }] } },
      { namespace },
    );

    const acme = loginIn(
      await json("tenant", "create", "acme", "-n", "shop", "--quota", "20kB", "--tags", "2"),
    );
    const again = await dray("tenant", "create", "acme", "-n", "shop");
    assert.equal(again.code, 8);
    assert.match(again.stderr, /there is one/);
    const entries = async (): Promise<unknown> =>
      (await accounts.get("default", { namespace }))["imagePullSecrets"];
    assert.deepEqual(await entries(), [{ name: "theirs" }, { name: "dray-acme-pull" }]);

    assert.equal(await push(`${registry}/acme/app:1`, acme, "small"), 0);
    assert.equal(await push(`${registry}/acme/other:1`, acme, "small, too"), 0);
    assert.notEqual(await push(`${registry}/acme/app:2`, acme, "a third tag"), 0);
    await json("tenant", "update", "acme", "--tags", "none");
    assert.equal(await push(`${registry}/acme/app:2`, acme, "a third tag"), 0);
    const big = Array.from({ length: 3_000 }, (_, index) => digestOf(String(index))).join("");
    assert.notEqual(await push(`${registry}/acme/big:1`, acme, big), 0);

    const shown = await json("tenant", "show", "acme");
    const { usage, quota } = shown as { usage: Record<string, number>; quota: object };
    assert.deepEqual(quota, { bytes: 20_000, tags: null });
    assert.equal(usage["tags"], 3);
    const pull = loginOf(await secrets.get("dray-acme-pull", { namespace }));
    const told = [
      await dray("tenant", "show", "acme"),
      await dray("tenant", "list"),
      await dray("tenant", "list", "--json"),
      await dray("tenant", "show", "acme", "--json"),
    ];
    for (const { code, stdout, stderr } of told) {
      assert.equal(code, 0);
      for (const { secret } of [acme, pull]) assert.ok(!(stdout + stderr).includes(secret));
      assert.doesNotMatch(stdout, /hash/i);
    }
    for (const file of ["tenants.db", "access.db"]) {
      assert.equal((await stat(join(dataDir, "registry", file))).mode & 0o077, 0);
    }

    const asked = await dray("tenant", "delete", "acme");
    assert.equal(asked.code, 8);
    assert.match(asked.stderr, /--keep-images or --delete-images/);
    const last = await dray("tenant", "delete", "acme", "--delete-images");
    assert.equal(last.code, 0);
    assert.match(
      last.stderr,
      /That was the last tenant; a registry without access rules is open to everybody/,
    );
    assert.deepEqual(await entries(), [{ name: "theirs" }]);
    const left = await secrets.listAll({ namespace, labelSelector: "dray.dev/tenant" });
    assert.deepEqual(left.items, []);
    const { annotations } = (await accounts.get("default", { namespace })).metadata;
    assert.equal(annotations, undefined);
    assert.equal((await dray("tenant", "list")).stdout, "");
    const free = await ask(registry, ["GET", "/v2/_catalog"]);
    assert.equal(free.status, 200, "the last tenant is gone, with all it had");
    assert.equal((await ask(registry, ["GET", "/v2/acme/app/manifests/1"])).status, 404);
    assert.equal((await dray("tenant", "show", "acme")).code, 3);
  },
);

test(
  "what is printed can be applied by somebody else, and is replaced by printing again",
  PATIENCE,
  async (t) => {
    const { registry, dray, json, push, resource, folder } = await setUpTenants(t);
    const namespace = "shop";
    await resource("namespaces").create({
      apiVersion: "v1",
      kind: "Namespace",
      metadata: { name: namespace },
    });
    const made = await json("tenant", "create", "acme", "--pull-only-namespace", "shop", "--print");
    const objects = made["objects"] as unknown as KubernetesObject[];
    assert.deepEqual(
      objects.map(({ kind, metadata }) => [kind, metadata.name, metadata.namespace]),
      [["Secret", "dray-acme-pull", "shop"]],
    );
    const [object] = objects;
    assert.ok(object !== undefined);
    const login = loginOf(object);
    assert.equal(await push(`${registry}/acme/app:1`, loginIn(made), "x"), 0);
    assert.equal((await ask(registry, ["GET", "/v2/acme/app/manifests/1"], login)).status, 200);
    assert.deepEqual((await resource("secrets").listAll({ namespace })).items, [], "nothing was applied");
    const text = await dray("tenant", "rotate", "acme", "--overlap", "0");
    assert.match(text.stdout, /^# Tenant acme/);
    assert.match(text.stdout, /kind: Secret/);
    assert.equal((await ask(registry, ["GET", "/v2/"], login)).status, 401);
    const gone = await dray(
      "tenant",
      "delete",
      "acme",
      "--keep-images",
      "--data-dir",
      join(folder, "data", "dray"),
    );
    assert.equal(gone.code, 0);
    assert.match(gone.stdout, /kubectl -n shop delete secret --ignore-not-found dray-acme-pull/);
    assert.equal(
      (await ask(registry, ["GET", "/v2/acme/app/manifests/1"])).status,
      401,
      "kept, and nobody's",
    );
  },
);

test("data of another registry are noticed before anybody depends on them", PATIENCE, async (t) => {
  const { registry, dray, folder } = await setUpTenants(t);
  assert.equal((await dray("tenant", "create", "first")).code, 0);
  const elsewhere = ["--data-dir", join(folder, "elsewhere")];
  const wrong = await dray("tenant", "create", "acme", "--registry", registry, ...elsewhere);
  assert.equal(wrong.code, 4);
  assert.match(wrong.stderr, /doesn't know what was made in .*--data-dir/);
  assert.equal((await dray("tenant", "list", ...elsewhere)).stdout, "", "nothing is left of it");
  const nowhere = await dray("tenant", "create", "acme", ...elsewhere);
  assert.equal(nowhere.code, 2);
  assert.match(nowhere.stderr, /--registry HOST/);
  const away = await dray(
    "tenant",
    "create",
    "acme",
    "--registry",
    "localhost:1",
    "-n",
    "shop",
    ...elsewhere,
  );
  assert.match(away.stderr, /--kubeconfig FILE, start dray up, or add --print/);
});

test("a file says who else may do what, from the beginning and beside tenants", PATIENCE, async (t) => {
  const access =
    "policies: [{ repositories: ['public/**'], actions: [pull, push], subjects: [everyone] }]\ntokens: {}\n";
  const { registry, json, push, dray } = await setUpTenants(t, access);
  const tokens = await ask(registry, ["GET", "/v2/"]);
  assert.match(tokens.headers.get("www-authenticate") ?? "", /^Bearer realm="http:.*\/auth\/token"/);
  assert.equal((await ask(registry, ["POST", "/v2/other/blobs/uploads/"])).status, 401);
  assert.equal((await ask(registry, ["POST", "/v2/public/app/blobs/uploads/"])).status, 202);
  const acme = loginIn(await json("tenant", "create", "acme", "--allow-delete"));
  for (const repository of ["acme/app", "public/acme"]) {
    assert.equal(await push(`${registry}/${repository}:1`, acme, repository), 0);
  }
  assert.notEqual(await push(`${registry}/other:1`, acme, "x"), 0);
  assert.equal((await ask(registry, ["DELETE", "/v2/acme/app/manifests/1"], acme)).status, 202);
  assert.equal((await ask(registry, ["DELETE", "/v2/public/acme/manifests/1"], acme)).status, 403);
  const wrong = await dray("up", "--access", "pods", "--registry-port", "0");
  assert.equal(wrong.code, 8);
  assert.equal((await dray("up", "--access", "access.yaml", "--no-registry")).code, 2);
});
