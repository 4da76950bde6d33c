/** Workloads as kubectl rolls, scales, waits for and ends them. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { type KubectlLab, openKubectlLab } from "./kubectl-lab.ts";
import { missingPeers } from "./peers.ts";

describe("workloads under kubectl", { skip: missingPeers("kubectl"), timeout: 600_000 }, () => {
  let lab: KubectlLab;
  const kubectl = async (...argv: readonly string[]): Promise<string> => await lab.kubectl(...argv);
  const valueOf = async (target: string, path: string): Promise<string> =>
    await kubectl("get", target, "-o", `jsonpath={${path}}`);
  const rolledOut = async (target: string): Promise<string> =>
    await kubectl("rollout", "status", target, "--timeout=90s");

  before(async () => {
    lab = await openKubectlLab();
  });
  after(async () => await lab[Symbol.asyncDispose]());

  it("a Deployment rolls out, back, and anew", async () => {
    await kubectl("create", "deployment", "web", "--image=web:1", "--replicas=3");
    assert.match(await rolledOut("deployment/web"), /^deployment "web" successfully rolled out$/m);
    await kubectl("set", "image", "deployment/web", "web=web:2");
    await kubectl("annotate", "deployment/web", "kubernetes.io/change-cause=newer");
    await rolledOut("deployment/web");
    await lab.shows(/^web:2 web:2 web:2$/, ...imagesOf("web"));
    await lab.shows(/^1 +<none>\n2 +newer$/m, "rollout", "history", "deployment/web");
    assert.match(await kubectl("rollout", "history", "deployment/web", "--revision=1"), /Image:\tweb:1$/m);
    assert.equal(await kubectl("rollout", "undo", "deployment/web"), "deployment.apps/web rolled back\n");
    await rolledOut("deployment/web");
    assert.equal(await valueOf("deployment/web", ".spec.template.spec.containers[0].image"), "web:1");
    await lab.shows(/^2 +newer\n3 +<none>$/m, "rollout", "history", "deployment/web");
    assert.match(
      await lab.refused("rollout", "undo", "deployment/web", "--to-revision=9"),
      /unable to find specified revision 9 in history/,
    );

    assert.equal(await kubectl("rollout", "pause", "deployment/web"), "deployment.apps/web paused\n");
    assert.match(
      await lab.refused("rollout", "restart", "deployment/web"),
      /can't restart paused deployment/,
    );
    assert.equal(await kubectl("rollout", "resume", "deployment/web"), "deployment.apps/web resumed\n");
    const before = await kubectl("get", "rs", "-l", "app=web", "-o", "name");
    assert.equal(await kubectl("rollout", "restart", "deployment/web"), "deployment.apps/web restarted\n");
    await rolledOut("deployment/web");
    assert.notEqual(await kubectl("get", "rs", "-l", "app=web", "-o", "name"), before);
    assert.match(
      await valueOf("deployment/web", ".spec.template.metadata.annotations"),
      /kubectl\.kubernetes\.io\/restartedAt/,
    );
  });

  for (const [kind, group] of [
    ["DaemonSet", "daemonset.apps"],
    ["StatefulSet", "statefulset.apps"],
  ] as const) {
    it(`a ${kind} has a history to go back in`, async () => {
      const name = kind.toLowerCase();
      lab.write(
        `${name}.yaml`,
        JSON.stringify({
          apiVersion: "apps/v1",
          kind,
          metadata: { name, annotations: { "kubernetes.io/change-cause": "first" } },
          spec: {
            ...(kind === "StatefulSet" && { serviceName: name }),
            selector: { matchLabels: { app: name } },
            template: {
              metadata: { labels: { app: name } },
              spec: { containers: [{ name: "c", image: "app:1" }] },
            },
          },
        }),
      );
      const set = `${name}/${name}`;
      await kubectl("apply", "-f", `${name}.yaml`);
      await rolledOut(set);
      await kubectl("annotate", set, "kubernetes.io/change-cause-", "--overwrite");
      await kubectl("set", "image", set, "c=app:2");
      await rolledOut(set);
      await lab.shows(/^1 +first\n2 +<none>$/m, "rollout", "history", set);
      assert.match(await kubectl("rollout", "history", set, "--revision=1"), /Image:\tapp:1$/m);
      const table = await kubectl("get", "controllerrevisions", "-l", `app=${name}`);
      assert.match(table, /^NAME +CONTROLLER +REVISION +AGE$/m);
      assert.match(table, new RegExp(`^${name}-\\S+ +${group}/${name} +2 +\\S+$`, "m"));
      assert.equal(await kubectl("rollout", "undo", set), `${group}/${name} rolled back\n`);
      await rolledOut(set);
      assert.equal(await valueOf(set, ".spec.template.spec.containers[0].image"), "app:1");
      await lab.shows(/^2 +<none>\n3 +first$/m, "rollout", "history", set);
      assert.match(
        await lab.refused("rollout", "undo", set, "--to-revision=9"),
        /unable to find specified revision 9 in history/,
      );
      await kubectl("delete", set, "--timeout=90s");
    });
  }

  it("a rollout that gets stuck says so in time", async () => {
    lab.cluster.becomesReady = ({ metadata }) => metadata.labels?.["app"] !== "stuck";
    await kubectl("create", "deployment", "stuck", "--image=stuck:1");
    await using patient = lab.follow("rollout", "status", "deployment/stuck");
    await patient.waitFor(
      /^Waiting for deployment "stuck" rollout to finish: 0 of 1 updated replicas are available\.\.\.$/m,
    );
    const { status, stderr } = await lab.run(["rollout", "status", "deployment/stuck", "--timeout=1s"]);
    assert.equal(status, 1);
    assert.match(stderr, /timed out waiting for the condition/);
    lab.cluster.becomesReady = () => true;
  });

  it("everything that scales is scaled", async () => {
    for (const kind of ["StatefulSet", "Deployment"])
      lab.write(`${kind}.yaml`, workload(kind, `scaled-${kind.toLowerCase()}`));
    await kubectl("apply", "-f", "StatefulSet.yaml", "-f", "Deployment.yaml");
    await rolledOut("statefulset/scaled-statefulset");
    await rolledOut("deployment/scaled-deployment");
    assert.equal(
      await kubectl("scale", "sts/scaled-statefulset", "deploy/scaled-deployment", "--replicas=3"),
      "statefulset.apps/scaled-statefulset scaled\ndeployment.apps/scaled-deployment scaled\n",
    );
    for (const target of ["sts/scaled-statefulset", "deploy/scaled-deployment"]) {
      await kubectl("wait", target, "--for=jsonpath={.status.readyReplicas}=3", "--timeout=90s");
    }
    assert.match(
      await lab.refused("scale", "sts/scaled-statefulset", "--current-replicas=1", "--replicas=2"),
      /Expected replicas to be 1, was 3/,
    );
    assert.match(
      await kubectl("get", "pods", "-o", "name"),
      /^pod\/scaled-statefulset-0\npod\/scaled-statefulset-1\npod\/scaled-statefulset-2$/m,
    );
    await kubectl("scale", "sts/scaled-statefulset", "--replicas=1");
    await kubectl("wait", "--for=delete", "pod/scaled-statefulset-2", "--timeout=90s");
    await kubectl("rollout", "restart", "sts/scaled-statefulset");
    assert.match(
      await rolledOut("sts/scaled-statefulset"),
      /partitioned roll out complete|rolling update complete/,
    );
  });

  it("whoever waits hears of what comes and goes, or of the end of its patience", async () => {
    await using coming = lab.follow("wait", "--for=create", "cm/awaited", "--timeout=90s");
    await kubectl("create", "cm", "awaited");
    await coming.waitFor(/^configmap\/awaited condition met$/m);
    await using going = lab.follow("wait", "--for=delete", "cm/awaited", "--timeout=90s");
    await kubectl("delete", "cm/awaited");
    // Nothing is left to wait for where it was quicker.
    await going.waitFor(/^configmap\/awaited condition met$/m).catch(() => assert.equal(going.said, ""));
    await kubectl("create", "cm", "stays");
    assert.match(
      await lab.refused("wait", "--for=delete", "cm/stays", "--timeout=1s"),
      /timed out waiting for the condition on configmaps\/stays/,
    );
  });

  it("what is deleted takes along what it owns, unless it shall not", async () => {
    await kubectl("create", "deployment", "gone", "--image=a:1", "--replicas=2");
    await rolledOut("deployment/gone");
    await kubectl("delete", "deployment/gone", "--cascade=foreground", "--timeout=90s");
    assert.equal(await kubectl("get", "rs,pods", "-l", "app=gone", "-o", "name"), "");
    await kubectl("create", "deployment", "left", "--image=a:1", "--replicas=2");
    await rolledOut("deployment/left");
    await kubectl("delete", "deployment/left", "--cascade=orphan");
    assert.match(await kubectl("get", "rs", "-l", "app=left"), /^left-\S+ +2 +2 +2 /m);
    assert.equal(
      await valueOf("rs", ".items[?(@.metadata.labels.app=='left')].metadata.ownerReferences"),
      "",
    );
    assert.match(
      await kubectl("delete", "rs", "-l", "app=left"),
      /^replicaset\.apps "left-\S+" deleted from default namespace\n$/,
    );
  });

  it("all of a kind, and all of a namespace, go at once", async () => {
    await kubectl("create", "namespace", "crowded");
    for (const name of ["a", "b", "c"]) await kubectl("run", name, "--image=a:1", "-n", "crowded");
    await kubectl("create", "deployment", "d", "--image=a:1", "-n", "crowded");
    await lab.shows(/^(?:pod\/.+\n){4}$/, "get", "pods", "-n", "crowded", "-o", "name");
    assert.equal(
      (await kubectl("delete", "pods", "--all", "-n", "crowded")).match(/ deleted from crowded namespace$/gm)
        ?.length,
      4,
    );
    assert.equal(
      await kubectl("delete", "namespace", "crowded", "--timeout=90s"),
      'namespace "crowded" deleted\n',
    );
    assert.match(await lab.refused("get", "namespace", "crowded"), /namespaces "crowded" not found/);
    assert.equal(await kubectl("get", "all,cm,sa,secrets,events", "-n", "crowded", "-o", "name"), "");
  });

  it("a node that is drained runs nothing more until it may again", async () => {
    await kubectl("create", "deployment", "moved", "--image=a:1");
    await rolledOut("deployment/moved");
    const drained = await kubectl("drain", "n1", "--ignore-daemonsets", "--force", "--timeout=90s");
    assert.match(drained, /^node\/n1 cordoned$/m);
    assert.match(drained, /^node\/n1 drained$/m);
    assert.match(await kubectl("get", "nodes"), /^n1 +Unknown,SchedulingDisabled /m);
    await lab.shows(/^Pending$/, "get", "pods", "-l", "app=moved", "-o", "jsonpath={.items[*].status.phase}");
    assert.equal(await kubectl("uncordon", "n1"), "node/n1 uncordoned\n");
    await rolledOut("deployment/moved");
    assert.equal(await kubectl("taint", "nodes", "n1", "team=a:NoSchedule"), "node/n1 tainted\n");
    assert.equal(await kubectl("taint", "nodes", "n1", "team-"), "node/n1 untainted\n");
  });
});

function imagesOf(app: string): readonly string[] {
  return ["get", "pods", "-l", `app=${app}`, "-o", "jsonpath={.items[*].spec.containers[0].image}"];
}

function workload(kind: string, name: string): string {
  return `apiVersion: apps/v1
kind: ${kind}
metadata: { name: ${name} }
spec:
  selector: { matchLabels: { app: ${name} } }
  template: { metadata: { labels: { app: ${name} } }, spec: { containers: [{ name: c, image: "a:1" }] } }
`;
}
