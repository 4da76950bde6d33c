/** Stock clients as a tenant: they log in as its robot, and meet nobody else. */
import assert from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, test } from "node:test";

import { setUpTenants } from "../journeys/tenant-commands-world.ts";
import { loginIn } from "../journeys/tenant-commands-world.ts";
import { attempt, type Ended } from "../processes.ts";
import { findPeer, missingPeers } from "./peers.ts";
import { writeSampleLayout } from "./sample-images.ts";

const PATIENCE = { timeout: 600_000 };

describe("tenants", { skip: missingPeers("crane", "skopeo", "kubectl") }, () => {
  test("crane and skopeo push and pull as a tenant, until its login ends", PATIENCE, async (t) => {
    const { folder, registry: named, json, push } = await setUpTenants(t);
    // Programs in Go have looked for the other name at a name server, now and then.
    const registry = named.replace("localhost", "127.0.0.1");
    const layout = await writeSampleLayout(join(folder, "layout"));
    const acme = loginIn(await json("tenant", "create", "acme"));
    const globex = loginIn(await json("tenant", "create", "globex"));
    assert.equal(await push(`${registry}/globex/app:1`, globex, "globex's"), 0);
    const home = join(folder, "client");
    mkdirSync(home);
    const auth = join(home, "auth.json");
    const env = { ...process.env, HOME: home, DOCKER_CONFIG: home, REGISTRY_AUTH_FILE: auth };
    const peer = async (program: string, args: readonly string[], input = ""): Promise<Ended> =>
      await attempt(findPeer(program) ?? program, args, { env, input });
    const works = async (program: string, args: readonly string[], input = ""): Promise<string> => {
      const { status, stdout, stderr } = await peer(program, args, input);
      assert.equal(status, 0, `${program} ${args.join(" ")}: ${stderr}`);
      return stdout;
    };
    const refused = async (program: string, args: readonly string[]): Promise<void> => {
      const { status, stdout, stderr } = await peer(program, args);
      assert.notEqual(status, 0, `${program} ${args.join(" ")} was let in`);
      assert.match(stdout + stderr, /unauthorized|denied|authentication required|401|403/i);
    };
    const plain = ["--src-tls-verify=false", "--dest-tls-verify=false"];
    const stay = ["--tls-verify=false"];
    await works("crane", ["auth", "login", registry, "-u", acme.login, "--password-stdin"], acme.secret);
    await works("skopeo", ["login", ...stay, registry, "-u", acme.login, "--password-stdin"], acme.secret);

    await works("skopeo", ["copy", ...plain, `oci:${layout.folder}:gzip`, `docker://${registry}/acme/app:1`]);
    await works("crane", ["copy", `${registry}/acme/app:1`, `${registry}/acme/deep/app:2`]);
    assert.equal((await works("crane", ["ls", `${registry}/acme/app`])).trim(), "1");
    assert.deepEqual((await works("crane", ["catalog", registry])).trim().split("\n"), [
      "acme/app",
      "acme/deep/app",
    ]);
    await works("skopeo", ["inspect", ...stay, `docker://${registry}/acme/deep/app:2`]);

    await refused("crane", ["manifest", `${registry}/globex/app:1`]);
    await refused("crane", ["ls", `${registry}/globex/app`]);
    await refused("crane", ["copy", `${registry}/acme/app:1`, `${registry}/globex/app:2`]);
    await refused("crane", ["copy", `${registry}/globex/app:1`, `${registry}/acme/stolen:1`]);
    await refused("skopeo", [
      "copy",
      ...plain,
      `docker://${registry}/globex/app:1`,
      `docker://${registry}/acme/x:1`,
    ]);
    await refused("skopeo", ["delete", ...stay, `docker://${registry}/acme/app:1`]);

    const next = loginIn(await json("tenant", "rotate", "acme", "--overlap", "1h"));
    await works("crane", ["manifest", `${registry}/acme/app:1`]);
    await works("crane", ["auth", "login", registry, "-u", next.login, "--password-stdin"], next.secret);
    await works("crane", ["manifest", `${registry}/acme/app:1`]);
    await json("tenant", "delete", "acme", "--keep-images");
    await refused("crane", ["manifest", `${registry}/acme/app:1`]);
  });

  test("kubectl applies what is printed, comments and all, and takes it away", PATIENCE, async (t) => {
    const { folder, registry, kubeconfig, dray, json, push, resource, until } = await setUpTenants(t);
    const kubectl = findPeer("kubectl") ?? "kubectl";
    const env = { ...process.env, HOME: folder, KUBECONFIG: kubeconfig };
    const script = async (text: string): Promise<string> => {
      const path = `${join(kubectl, "..")}:${process.env["PATH"]}`;
      const { status, stdout, stderr } = await attempt("sh", ["-c", text], { env: { ...env, PATH: path } });
      assert.equal(status, 0, `${text}\n${stderr}`);
      return stdout;
    };
    await script("kubectl create namespace shop && kubectl create namespace lab");
    await script(
      `kubectl -n lab patch serviceaccount default --type=merge -p '{"imagePullSecrets":[{"name":"theirs"}]}'`,
    );
    const words = ["-n", "shop", "--pull-only-namespace", "lab", "--print"];
    const printed = await dray("tenant", "create", "acme", ...words);
    assert.equal(printed.code, 0, printed.stderr);
    writeFileSync(join(folder, "acme.yaml"), printed.stdout);
    await script(`kubectl apply -f ${join(folder, "acme.yaml")}`);
    const commands = printed.stdout.split("\n").filter((line) => line.startsWith("# {"));
    assert.equal(commands.length, 2);
    for (const command of commands) await script(command.slice(2));
    const accounts = resource("serviceaccounts");
    const entries = async (namespace: string): Promise<unknown> =>
      (await accounts.get("default", { namespace }))["imagePullSecrets"];
    assert.deepEqual(await entries("shop"), [{ name: "dray-acme-pull" }]);
    assert.deepEqual(await entries("lab"), [{ name: "theirs" }, { name: "dray-acme-pull" }]);

    const [, login = "", secret = ""] = /^# {3}(robot\+acme)\n# {3}(\S+)$/m.exec(printed.stdout) ?? [];
    assert.equal(await push(`${registry}/acme/app:1`, { login, secret }, "x"), 0);
    for (const namespace of ["shop", "lab"]) {
      await script(`kubectl -n ${namespace} run web --image=${registry}/acme/app:1`);
      await until(resource("pods"), ({ metadata, ...rest }) => {
        const { phase } = (rest["status"] ?? {}) as { phase?: string };
        return metadata.namespace === namespace && phase === "Running";
      });
    }
    // Taken over by a cluster that is named from now on, and taken away with it.
    await json("tenant", "rotate", "acme", "--kubeconfig", kubeconfig);
    await json("tenant", "delete", "acme", "--delete-images");
    assert.equal(await script("kubectl get secrets -A -l dray.dev/tenant -o name"), "");
    assert.equal(await entries("shop"), undefined);
    assert.deepEqual(await entries("lab"), [{ name: "theirs" }]);
  });
});
