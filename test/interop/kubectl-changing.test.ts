/** Everything that kubectl changes, one way and another. */
import assert from "node:assert/strict";
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { after, before, describe, it } from "node:test";

import { type KubectlLab, openKubectlLab } from "./kubectl-lab.ts";
import { missingPeers } from "./peers.ts";

describe("kubectl changes", { skip: missingPeers("kubectl"), timeout: 600_000 }, () => {
  let lab: KubectlLab;
  const kubectl = async (...argv: readonly string[]): Promise<string> => await lab.kubectl(...argv);
  const valueOf = async (target: string, path: string): Promise<string> =>
    await kubectl("get", target, "-o", `jsonpath={${path}}`);

  before(async () => {
    lab = await openKubectlLab();
  });
  after(async () => await lab[Symbol.asyncDispose]());

  it("fields that it owns, and those of others only when it insists", async () => {
    lab.write("cm.yaml", configMap("owned", "1"));
    const apply = ["apply", "--server-side", "-f", "cm.yaml"];
    assert.equal(await kubectl(...apply), "configmap/owned serverside-applied\n");
    assert.equal(await kubectl(...apply, "--field-manager=other"), "configmap/owned serverside-applied\n");
    lab.write("cm.yaml", configMap("owned", "2"));
    const conflict = await lab.refused(...apply);
    assert.match(conflict, /^error: Apply failed with 1 conflict: conflict with "other": \.data\.a\n/);
    assert.equal(await valueOf("cm/owned", ".data.a"), "1");
    await kubectl(...apply, "--force-conflicts");
    assert.equal(await valueOf("cm/owned", ".data.a"), "2");
    const fields = await kubectl("get", "cm/owned", "-o", "yaml", "--show-managed-fields");
    // The other has nothing left that it owns.
    assert.deepEqual(fields.match(/(?<=manager: )\w+/g), ["kubectl"]);
    // What its owner no longer applies is gone.
    lab.write("cm.yaml", configMap("owned", undefined));
    await kubectl(...apply);
    assert.equal(await valueOf("cm/owned", ".data"), "");
  });

  it("what differs, and first shows what that is", async () => {
    lab.write("diff.yaml", configMap("differs", "1"));
    assert.equal(await kubectl("apply", "-f", "diff.yaml"), "configmap/differs created\n");
    assert.equal(await kubectl("diff", "-f", "diff.yaml"), "");
    lab.write("diff.yaml", configMap("differs", "2"));
    const diff = await lab.run(["diff", "-f", "diff.yaml"]);
    assert.equal(diff.status, 1);
    assert.match(diff.stdout, /^-  a: "1"\n\+  a: "2"$/m);
    assert.equal(await valueOf("cm/differs", ".data.a"), "1");
    assert.equal(
      await kubectl("apply", "-f", "diff.yaml", "--dry-run=server"),
      "configmap/differs configured (server dry run)\n",
    );
    assert.equal(await valueOf("cm/differs", ".data.a"), "1");
    assert.equal(await kubectl("apply", "-f", "diff.yaml"), "configmap/differs configured\n");
    assert.equal(await kubectl("apply", "-f", "diff.yaml"), "configmap/differs unchanged\n");
    assert.match(await kubectl("apply", "view-last-applied", "cm/differs"), /^ {2}a: "2"$/m);
  });

  it("labels and annotations", async () => {
    await kubectl("create", "cm", "marked");
    assert.equal(await kubectl("label", "cm/marked", "tier=front"), "configmap/marked labeled\n");
    assert.match(
      await lab.refused("label", "cm/marked", "tier=back"),
      /'tier' already has a value \(front\), and --overwrite is false/,
    );
    assert.equal(
      await kubectl("label", "cm/marked", "tier=back", "--overwrite"),
      "configmap/marked labeled\n",
    );
    assert.equal(
      await kubectl("annotate", "cm", "-l", "tier=back", "note=a b"),
      "configmap/marked annotated\n",
    );
    assert.equal(await valueOf("cm/marked", ".metadata.annotations.note"), "a b");
    assert.equal(await kubectl("label", "cm/marked", "tier-"), "configmap/marked unlabeled\n");
    assert.match(
      await lab.refused("label", "cm/marked", "tier=not a label"),
      /a valid label must be an empty string or consist of/,
    );
  });

  it("Pods by every kind of patch, and their status", async () => {
    await kubectl("run", "patched", "--image=app:v1", "--labels=app=patched");
    await kubectl("wait", "--for=condition=Ready", "pod/patched", "--timeout=90s");
    const patch = async (type: string, body: unknown, ...more: readonly string[]): Promise<string> =>
      await kubectl("patch", "pod/patched", `--type=${type}`, "-p", JSON.stringify(body), ...more);
    await patch("json", [{ op: "replace", path: "/spec/containers/0/image", value: "app:v2" }]);
    await patch("merge", { metadata: { labels: { app: null, kind: "patched" } } });
    await patch("strategic", { spec: { containers: [{ name: "patched", image: "app:v3" }] } });
    assert.equal(await valueOf("pod/patched", ".metadata.labels"), '{"kind":"patched"}');
    assert.equal(await valueOf("pod/patched", ".spec.containers[*].image"), "app:v3");
    await patch("merge", { status: { message: "merged" } }, "--subresource=status");
    await patch(
      "strategic",
      { status: { conditions: [{ type: "Odd", status: "True" }] } },
      "--subresource=status",
    );
    await patch("json", [{ op: "add", path: "/status/reason", value: "Because" }], "--subresource=status");
    assert.equal(await valueOf("pod/patched", "['status.message','status.reason']"), "merged Because");
    assert.deepEqual((await valueOf("pod/patched", ".status.conditions[*].type")).split(" ").toSorted(), [
      "Odd",
      "PodScheduled",
      "Ready",
    ]);
    // A status has no place in the object itself, nor the object in its status.
    assert.equal(
      await patch("merge", { status: { message: "unseen" } }),
      "pod/patched patched (no change)\n",
    );
    assert.match(await kubectl("get", "pods", "patched"), /^patched +1\/1 +Because /m);
    const tested = [
      "patch",
      "pod/patched",
      "--type=json",
      "-p",
      '[{"op":"test","path":"/spec/nodeName","value":"n2"}]',
    ];
    assert.match(await lab.refused(...tested), /^The request is invalid: /);
    assert.match(
      await lab.refused("patch", "pod/patched", "-p", '{"spec":{"nodeName":"n2"}}'),
      /pod updates may not change fields other than/,
    );
  });

  it("objects in an editor", async () => {
    await kubectl("create", "cm", "edited", "--from-literal=a=before");
    const edit = async (
      script: string,
    ): Promise<{ readonly status: number | null; readonly stdout: string; readonly stderr: string }> =>
      await lab.run(["edit", "cm/edited"], { env: { KUBE_EDITOR: `sed -i ${script}` } });
    assert.equal((await edit("s/before/after/")).stdout, "configmap/edited edited\n");
    assert.equal(await valueOf("cm/edited", ".data.a"), "after");
    assert.match((await edit("s/nothing/at-all/")).stderr, /^Edit cancelled, no changes made\.$/m);
    const refused = await edit("'s/^immutable: .*//; s/a: after/a b: after/'");
    assert.notEqual(refused.status, 0);
    assert.match(refused.stdout + refused.stderr, /^error: configmaps "edited" is invalid$/m);
  });

  it("objects by replacing them, and makes them anew where it must", async () => {
    await kubectl("run", "replaced", "--image=app:v1");
    await kubectl("wait", "--for=condition=Ready", "pod/replaced", "--timeout=90s");
    const yaml = await kubectl("get", "pod/replaced", "-o", "yaml");
    const uid = await valueOf("pod/replaced", ".metadata.uid");
    lab.write("replaced.yaml", yaml.replaceAll("app:v1", "app:v2"));
    assert.equal(await kubectl("replace", "-f", "replaced.yaml"), "pod/replaced replaced\n");
    assert.equal(await valueOf("pod/replaced", ".spec.containers[0].image"), "app:v2");
    // The version in the file is an old one by now.
    assert.match(
      await lab.refused("replace", "-f", "replaced.yaml"),
      /the object has been modified; please apply your changes to the latest version/,
    );
    lab.write(
      "small.yaml",
      "apiVersion: v1\nkind: Pod\nmetadata: {name: replaced}\nspec: {containers: [{name: other, image: b}]}\n",
    );
    assert.match(await lab.refused("replace", "-f", "small.yaml"), /pod updates may not/);
    const forced = await kubectl("replace", "--force", "--grace-period=1", "-f", "small.yaml");
    assert.match(forced, /^pod "replaced" deleted from default namespace\npod\/replaced replaced\n$/);
    assert.notEqual(await valueOf("pod/replaced", ".metadata.uid"), uid);
  });

  it("names into new ones, each time", async () => {
    lab.write(
      "generate.yaml",
      "apiVersion: v1\nkind: Pod\nmetadata: {generateName: made-}\nspec: {containers: [{name: c, image: a}]}\n",
    );
    const first = await kubectl("create", "-f", "generate.yaml", "-o", "name");
    const second = await kubectl("create", "-f", "generate.yaml", "-o", "name");
    for (const name of [first, second]) assert.match(name, /^pod\/made-[bcdf-hj-np-tv-xz2456789]{5}\n$/);
    assert.notEqual(first, second);
    assert.match(await lab.refused("apply", "-f", "generate.yaml"), /cannot use generate name with apply/);
  });

  it("what is there into what a folder says, and prunes the rest", async () => {
    for (const name of ["one", "two"]) lab.write(`set/${name}.yaml`, configMap(name, "1", "{ set: pruned }"));
    const apply = [
      "apply",
      "-f",
      "set",
      "--prune",
      "-l",
      "set=pruned",
      "--prune-allowlist=core/v1/ConfigMap",
    ];
    await kubectl(...apply);
    rmSync(join(lab.folder, "set", "two.yaml"));
    assert.equal(await kubectl(...apply), "configmap/one unchanged\nconfigmap/two pruned\n");
    const applySet = ["apply", "-f", "set", "--prune", "--applyset=configmaps/parent", "-n", "default"];
    lab.write("set/three.yaml", configMap("three", "1"));
    const enabled = { env: { KUBECTL_APPLYSET: "true" } };
    assert.equal((await lab.run(applySet, enabled)).status, 0);
    rmSync(join(lab.folder, "set", "three.yaml"));
    assert.match((await lab.run(applySet, enabled)).stdout, /^configmap\/three pruned$/m);
  });

  it("Pods by adding a container to look into them with", async () => {
    await kubectl("run", "looked-at", "--image=app:v1");
    await kubectl("wait", "--for=condition=Ready", "pod/looked-at", "--timeout=90s");
    await kubectl("debug", "looked-at", "--image=tools:1", "--target=looked-at", "-q", "--attach=false");
    const added = await valueOf(
      "pod/looked-at",
      ".spec.ephemeralContainers[0]['image','targetContainerName','imagePullPolicy']",
    );
    assert.equal(added, "tools:1 looked-at IfNotPresent");
    await kubectl("debug", "looked-at", "--image=tools:1", "--copy-to=copied", "-q", "--attach=false");
    assert.equal((await valueOf("pod/copied", ".spec.containers[*].image")).split(" ").length, 2);
    await kubectl("debug", "node/n1", "--image=tools:1", "-q", "--attach=false");
    assert.match(await kubectl("get", "pods", "-o", "name"), /^pod\/node-debugger-n1-/m);
  });

  it("images, accounts, environment and resources of a template", async () => {
    await kubectl("create", "deployment", "set", "--image=app:v1");
    await kubectl("create", "sa", "robot");
    assert.equal(
      await kubectl("set", "image", "deployment/set", "app=app:v2"),
      "deployment.apps/set image updated\n",
    );
    assert.equal(
      await kubectl("set", "serviceaccount", "deployment", "set", "robot"),
      "deployment.apps/set serviceaccount updated\n",
    );
    assert.equal(
      await kubectl("set", "env", "deployment/set", "COLOUR=blue"),
      "deployment.apps/set env updated\n",
    );
    assert.equal(
      await kubectl("set", "resources", "deployment/set", "--limits=cpu=100m"),
      "deployment.apps/set resource requirements updated\n",
    );
    assert.match(await kubectl("set", "env", "deployment/set", "--list"), /^COLOUR=blue$/m);
    const spec = ".spec.template.spec";
    assert.equal(await valueOf("deployment/set", `${spec}.serviceAccountName`), "robot");
    const container = `${spec}.containers[0]['image','resources']`;
    assert.equal(await valueOf("deployment/set", container), 'app:v2 {"limits":{"cpu":"100m"}}');
  });

  it("nothing into objects of every kind that it can make", async () => {
    const made: readonly (readonly [argv: readonly string[], said: string])[] = [
      [["namespace", "made"], "namespace/made"],
      [["serviceaccount", "made"], "serviceaccount/made"],
      [["configmap", "made", "--from-literal=a=b"], "configmap/made"],
      [["secret", "generic", "made", "--from-literal=a=b"], "secret/made"],
      [["deployment", "made", "--image=a:1", "--replicas=2"], "deployment.apps/made"],
      [["job", "made", "--image=a:1"], "job.batch/made"],
      [["cronjob", "made", "--image=a:1", "--schedule=0 0 1 1 *"], "cronjob.batch/made"],
      [["job", "again", "--from=cronjob/made"], "job.batch/again"],
    ];
    for (const [argv, said] of made) assert.equal(await kubectl("create", ...argv), `${said} created\n`);
    assert.match(
      await lab.refused("create", "namespace", "made"),
      /^Error from server \(AlreadyExists\): namespaces "made" already exists$/m,
    );
  });

  it("nothing where dray has nothing, and says so", async () => {
    const kinds = "dray keeps only kinds that have to do with images, and not";
    assert.ok(
      (await lab.refused("create", "quota", "q", "--hard=pods=1")).includes(`${kinds} resourcequotas`),
    );
    assert.ok(
      (await lab.refused("create", "service", "clusterip", "s", "--tcp=80:80")).includes(`${kinds} services`),
    );
    assert.ok(
      (await lab.refused("create", "role", "r", "--verb=get", "--resource=pods")).includes(
        `${kinds} roles.rbac.authorization.k8s.io`,
      ),
    );
    assert.ok((await lab.refused("get", "--raw", "/api/v1/services")).includes(`${kinds} services`));
    assert.match(await lab.refused("get", "ingress"), /the server doesn't have a resource type "ingress"/);
    lab.write(
      "service.yaml",
      "apiVersion: v1\nkind: Service\nmetadata: {name: s}\nspec: {ports: [{port: 80}]}\n",
    );
    assert.ok((await lab.refused("apply", "-f", "service.yaml")).includes(kinds));
    lab.write("ingress.yaml", "apiVersion: networking.k8s.io/v1\nkind: Ingress\nmetadata: {name: i}\n");
    assert.match(
      await lab.refused("apply", "-f", "ingress.yaml"),
      /no matches for kind "Ingress" in version "networking\.k8s\.io\/v1"/,
    );

    await kubectl("run", "quiet", "--image=app:v1");
    await kubectl("wait", "--for=condition=Ready", "pod/quiet", "--timeout=90s");
    assert.match(await lab.refused("expose", "pod", "quiet", "--port=80"), /no matches for kind "Service"/);
    const containers = /dray brings images to nodes and runs no containers/;
    for (const argv of [
      ["logs", "quiet"],
      ["exec", "quiet", "--", "ls"],
      ["attach", "quiet"],
      ["port-forward", "quiet", ":80"],
    ]) {
      assert.match(await lab.refused(...argv), containers, argv[0]);
    }
  });

  it("nothing from a manifest that is wrong", async () => {
    lab.write(
      "typo.yaml",
      "apiVersion: v1\nkind: Pod\nmetadata: {name: typo}\nspec: {containers: [{name: c, imagee: a}]}\n",
    );
    assert.match(
      await lab.refused("apply", "-f", "typo.yaml"),
      /strict decoding error: unknown field "spec\.containers\[0\]\.imagee"/,
    );
    assert.match(
      await lab.refused("apply", "-f", "typo.yaml", "--validate=warn"),
      /spec\.containers\[0\]\.image: Required value/,
    );
    lab.write("broken.yaml", "apiVersion: v1\nkind: Pod\n  metadata: x\n");
    assert.match(
      await lab.refused("apply", "-f", "broken.yaml"),
      /mapping values are not allowed in this context/,
    );
    assert.match(await lab.refused("create", "cm", "Not_A_Name"), /Invalid value: "Not_A_Name"/);
    assert.doesNotMatch(await kubectl("get", "pods", "-o", "name"), /typo/);
  });

  it("what the page about images tells its readers to", async () => {
    // From https://kubernetes.io/docs/concepts/containers/images/ and the pages it leads to.
    await kubectl("create", "namespace", "awesomeapps");
    const login = [
      "--docker-server=localhost:5011",
      "--docker-username=janedoe",
      "--docker-password=x",
      "--docker-email=jane@example.com",
    ];
    assert.equal(
      await kubectl("create", "secret", "docker-registry", "myregistrykey", ...login, "-n", "awesomeapps"),
      "secret/myregistrykey created\n",
    );
    lab.write("docker/config.json", '{"auths":{"localhost:5011":{"auth":"amFuZWRvZTp4"}}}');
    const file = [
      "--from-file=.dockerconfigjson=docker/config.json",
      "--type=kubernetes.io/dockerconfigjson",
    ];
    assert.equal(
      await kubectl("create", "secret", "generic", "regcred", ...file),
      "secret/regcred created\n",
    );
    const stored = await valueOf("secret/regcred", ".data.\\.dockerconfigjson");
    assert.equal(
      Buffer.from(stored, "base64").toString(),
      readFileSync(join(lab.folder, "docker/config.json"), "utf8"),
    );
    lab.write(
      "page/pod.yaml",
      `apiVersion: v1
kind: Pod
metadata:
  name: foo
  namespace: awesomeapps
spec:
  containers:
    - name: foo
      image: janedoe/awesomeapp:v1
  imagePullSecrets:
    - name: myregistrykey
`,
    );
    lab.write("page/kustomization.yaml", "resources:\n- pod.yaml\n");
    assert.equal(await kubectl("apply", "-k", "page"), "pod/foo created\n");
    assert.equal(await kubectl("apply", "-k", "page"), "pod/foo unchanged\n");
    const secrets = [
      "get",
      "pod",
      "foo",
      "-n",
      "awesomeapps",
      "-o",
      "jsonpath={.spec.imagePullSecrets[*].name}",
    ];
    assert.equal(await kubectl(...secrets), "myregistrykey");

    const patch = '{"imagePullSecrets": [{"name": "regcred"}]}';
    assert.equal(
      await kubectl("patch", "serviceaccount", "default", "-p", patch),
      "serviceaccount/default patched\n",
    );
    await kubectl("run", "nginx", "--image=nginx", "--restart=Never");
    assert.equal(await valueOf("pod/nginx", ".spec.imagePullSecrets[0].name"), "regcred");
    assert.equal(await valueOf("pod/nginx", ".spec.containers[0].imagePullPolicy"), "Always");
  });
});

function configMap(name: string, a: string | undefined, labels?: string): string {
  const marks = labels === undefined ? "" : `, labels: ${labels}`;
  const data = a === undefined ? "" : `data: { a: "${a}" }\n`;
  return `apiVersion: v1\nkind: ConfigMap\nmetadata: { name: ${name}${marks} }\n${data}`;
}
