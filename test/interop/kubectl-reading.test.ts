/** Everything that kubectl shows, of every kind there is. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";

import { type KubectlLab, openKubectlLab } from "./kubectl-lab.ts";
import { missingPeers } from "./peers.ts";

const OBJECTS = `
apiVersion: v1
kind: Secret
metadata: { name: login }
type: kubernetes.io/dockerconfigjson
stringData: { .dockerconfigjson: '{"auths":{"localhost:5011":{"auth":"YTpi"}}}' }
---
apiVersion: v1
kind: ConfigMap
metadata: { name: settings, labels: { app: web } }
data: { colour: blue }
---
apiVersion: v1
kind: ServiceAccount
metadata: { name: robot }
imagePullSecrets: [{ name: login }]
---
apiVersion: v1
kind: PodTemplate
metadata: { name: mould }
template: { spec: { containers: [{ name: c, image: "mould:1" }] } }
---
apiVersion: v1
kind: ReplicationController
metadata: { name: rc }
spec:
  replicas: 1
  selector: { app: rc }
  template: { metadata: { labels: { app: rc } }, spec: { containers: [{ name: c, image: "rc:1" }] } }
---
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec: { serviceAccountName: robot, containers: [{ name: c, image: "localhost:5011/web:1" }] }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  selector: { matchLabels: { app: db } }
  template: { metadata: { labels: { app: db } }, spec: { containers: [{ name: c, image: "db:1" }] } }
---
apiVersion: apps/v1
kind: DaemonSet
metadata: { name: agent }
spec:
  selector: { matchLabels: { app: agent } }
  template: { metadata: { labels: { app: agent } }, spec: { containers: [{ name: c, image: "agent:1" }] } }
---
apiVersion: batch/v1
kind: Job
metadata: { name: once }
spec: { template: { spec: { restartPolicy: Never, containers: [{ name: c, image: "once:1" }] } } }
---
apiVersion: batch/v1
kind: CronJob
metadata: { name: yearly }
spec:
  schedule: "0 0 1 1 *"
  jobTemplate: { spec: { template: { spec: { restartPolicy: Never, containers: [{ name: c, image: "yearly:1" }] } } } }
---
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: { name: leader }
spec: { holderIdentity: me, leaseDurationSeconds: 15 }
`;

describe("kubectl shows", { skip: missingPeers("kubectl"), timeout: 600_000 }, () => {
  let lab: KubectlLab;
  const kubectl = async (...argv: readonly string[]): Promise<string> => await lab.kubectl(...argv);

  before(async () => {
    lab = await openKubectlLab();
    lab.write("all.yaml", OBJECTS);
    assert.equal((await kubectl("create", "-f", "all.yaml")).match(/ created$/gm)?.length, 11);
    await kubectl("rollout", "status", "deployment/web", "--timeout=90s");
    for (const label of ["app=db", "app=agent", "app=rc", "job-name=once"]) {
      await kubectl("wait", "--for=create", "pod", "-l", label, "--timeout=90s");
      await kubectl("wait", "--for=condition=Ready", "pod", "-l", label, "--timeout=90s");
    }
  });
  after(async () => await lab[Symbol.asyncDispose]());

  const rows: readonly (readonly [resource: string, header: RegExp, row: RegExp])[] = [
    ["nodes", /^NAME +STATUS +ROLES +AGE +VERSION$/m, /^n1 +Unknown +<none> +\S+ *$/m],
    ["namespaces", /^NAME +STATUS +AGE$/m, /^default +Active +\S+$/m],
    ["secrets", /^NAME +TYPE +DATA +AGE$/m, /^login +kubernetes.io\/dockerconfigjson +1 +\S+$/m],
    ["cm", /^NAME +DATA +AGE$/m, /^settings +1 +\S+$/m],
    // Since 1.36 kubectl no longer tells how many Secrets an account has.
    ["sa", /^NAME +(?:SECRETS +)?AGE$/m, /^robot +(?:0 +)?\S+$/m],
    ["podtemplates", /^NAME +CONTAINERS +IMAGES +POD LABELS$/m, /^mould +c +mould:1 +<none>$/m],
    ["rc", /^NAME +DESIRED +CURRENT +READY +AGE$/m, /^rc +1 +1 +1 +\S+$/m],
    ["deploy", /^NAME +READY +UP-TO-DATE +AVAILABLE +AGE$/m, /^web +2\/2 +2 +2 +\S+$/m],
    ["rs", /^NAME +DESIRED +CURRENT +READY +AGE$/m, /^web-[a-z0-9]+ +2 +2 +2 +\S+$/m],
    ["sts", /^NAME +READY +AGE$/m, /^db +1\/1 +\S+$/m],
    [
      "ds",
      /^NAME +DESIRED +CURRENT +READY +UP-TO-DATE +AVAILABLE +NODE SELECTOR +AGE$/m,
      /^agent +1 +1 +1 +1 +1 +<none> +\S+$/m,
    ],
    ["jobs", /^NAME +STATUS +COMPLETIONS +DURATION +AGE$/m, /^once +Running +0\/1 +\S+ +\S+$/m],
    [
      "cronjobs",
      /^NAME +SCHEDULE +TIMEZONE +SUSPEND +ACTIVE +LAST SCHEDULE +AGE$/m,
      /^yearly +0 0 1 1 \* +<none> +False +0 +<none> +\S+$/m,
    ],
    ["leases", /^NAME +HOLDER +AGE$/m, /^leader +me +\S+$/m],
    [
      "events",
      /^LAST SEEN +TYPE +REASON +OBJECT +MESSAGE$/m,
      / Normal +ScalingReplicaSet +deployment\/web +Scaled up replica set web-\S+ from 0 to 2$/m,
    ],
  ];
  for (const [resource, header, row] of rows) {
    it(`${resource} as rows`, async () => {
      assert.match(await lab.shows(row, "get", resource), header);
    });
  }

  const described: readonly (readonly [target: string, pattern: RegExp])[] = [
    ["node n1", /^Non-terminated Pods: +\(\d+ in total\)$/m],
    ["namespace default", /^Status: +Active$/m],
    ["secret login", /^Type: +kubernetes.io\/dockerconfigjson$[^]*^\.dockerconfigjson: +44 bytes$/m],
    ["configmap settings", /^colour:\n----\nblue$/m],
    ["serviceaccount robot", /^Image pull secrets: +login(?: |$)/m],
    ["podtemplate mould", /Image: *mould:1$/m],
    ["rc rc", /^Replicas: +1 current \/ 1 desired$/m],
    ["deployment web", /^Replicas: +2 desired \| 2 updated \| 2 total \| 2 available \| 0 unavailable$/m],
    ["statefulset db", /^Pods Status: +1 Running \/ 0 Waiting \/ 0 Succeeded \/ 0 Failed$/m],
    ["daemonset agent", /^Desired Number of Nodes Scheduled: 1$/m],
    ["job once", /^Pods Statuses: +1 Active/m],
    ["cronjob yearly", /^Schedule: +0 0 1 1 \*$/m],
    ["lease leader", /Holder Identity: +me$/m],
    [
      "pod db-0",
      /^Controlled By: +StatefulSet\/db$[^]*^ +Normal +Scheduled .*Successfully assigned default\/db-0 to n1$/m,
    ],
    ["replicaset -l app=web", /^Controlled By: +Deployment\/web$/m],
  ];
  for (const [target, pattern] of described) {
    it(`${target} at length`, async () => {
      assert.doesNotMatch(await lab.shows(pattern, "describe", ...target.split(" ")), /YTpi/);
    });
  }

  it("Pods in every form of output", async () => {
    assert.match(
      await kubectl("get", "pods", "-o", "wide"),
      /^NAME .* NODE +NOMINATED NODE +READINESS GATES$[^]*^db-0 +1\/1 +Running +0 +\S+ +<none> +n1 +<none> +<none>$/m,
    );
    assert.match(await kubectl("get", "pods", "-o", "name"), /^pod\/db-0$/m);
    assert.equal(await kubectl("get", "pod", "db-0", "-o", "jsonpath={.spec.containers[*].image}"), "db:1");
    assert.equal(await kubectl("get", "pod", "db-0", "-o", "go-template={{.spec.nodeName}}"), "n1");
    const columns = await kubectl(
      "get",
      "pod",
      "db-0",
      "-o",
      "custom-columns=N:.metadata.name,I:.spec.containers[*].image",
    );
    assert.equal(columns, "N      I\ndb-0   db:1\n");
    const json = JSON.parse(await kubectl("get", "pod", "db-0", "-o", "json")) as {
      readonly kind: string;
      readonly metadata: object;
    };
    assert.equal(json.kind, "Pod");
    assert.ok(!("managedFields" in json.metadata));
    const yaml = await kubectl("get", "pod", "db-0", "-o", "yaml", "--show-managed-fields");
    assert.match(yaml, /^apiVersion: v1\nkind: Pod\nmetadata:\n[^]*managedFields:\n/);
    assert.match(
      await kubectl("get", "deploy", "web", "--subresource=scale"),
      /^NAME +DESIRED +AVAILABLE +AGE\nweb +2 +2 +\S+\n$/,
    );
  });

  it("only what selectors choose, sorted as asked, and in pages the same", async () => {
    const names = async (...argv: readonly string[]): Promise<readonly string[]> =>
      (await kubectl("get", "pods", "-o", "name", ...argv))
        .trim()
        .split("\n")
        .filter((name) => name !== "");
    assert.deepEqual(
      await names("-l", "app in (db,agent),!nothing", "--field-selector", "metadata.name=db-0"),
      ["pod/db-0"],
    );
    assert.equal((await names("--field-selector=status.phase=Running,spec.nodeName=n1")).length, 6);
    assert.deepEqual(await names("--field-selector=status.phase=Failed"), []);
    assert.deepEqual(await names("--chunk-size=2"), await names());
    const sorted = await names("--sort-by=.metadata.name");
    assert.deepEqual(sorted, sorted.toSorted());
    assert.match(
      await lab.refused("get", "pods", "--field-selector=bogus=1"),
      /field label not supported: bogus/,
    );
    const labelled = await kubectl("get", "cm,deploy", "-l", "app=web", "-L", "app");
    assert.match(
      labelled,
      /^configmap\/settings +1 +\S+ +web$[^]*^deployment.apps\/web +2\/2 +2 +2 +\S+ +web$/m,
    );
    assert.match(await kubectl("get", "pods", "-A", "--show-labels"), /^default +db-0 .* app=db,/m);
  });

  it("all workloads at once", async () => {
    const all = await kubectl("get", "all");
    for (const name of [
      "pod/db-0",
      "replicationcontroller/rc",
      "daemonset.apps/agent",
      "deployment.apps/web",
      "statefulset.apps/db",
      "job.batch/once",
      "cronjob.batch/yearly",
    ]) {
      assert.ok(all.includes(`\n${name} `) || all.startsWith(name), `${name} in\n${all}`);
    }
  });

  it("changes as they come", async () => {
    await using plain = lab.follow("get", "pods", "-w", "-l", "run=late");
    await using told = lab.follow(
      "get",
      "cm",
      "-w",
      "--output-watch-events",
      "--field-selector=metadata.name=late",
    );
    // Watches from the first moment are what this is about, so each has to say something first.
    await kubectl("run", "late", "--image=late:1");
    await kubectl("create", "cm", "late", "--from-literal=a=b");
    await plain.waitFor(/^late +1\/1 +Running +0 +\S+$/m);
    await told.waitFor(/ADDED +late +1/);
    await kubectl("label", "cm", "late", "x=y");
    await told.waitFor(/MODIFIED +late +1/);
    await kubectl("delete", "cm/late", "pod/late");
    await told.waitFor(/DELETED +late +1/);
    await plain.stop("SIGINT");
    await told.stop("SIGINT");
    assert.match(plain.said, /^NAME +READY +STATUS +RESTARTS +AGE\n/);
  });

  it("what there is, and what objects look like", async () => {
    const groups = [
      "apps/v1",
      "authentication.k8s.io/v1",
      "authorization.k8s.io/v1",
      "batch/v1",
      "coordination.k8s.io/v1",
      "events.k8s.io/v1",
      "v1",
    ];
    assert.deepEqual((await kubectl("api-versions")).trim().split("\n"), groups);
    assert.match(
      await kubectl("api-resources", "-o", "wide"),
      /^deployments +deploy +apps\/v1 +true +Deployment +create,delete,deletecollection,get,list,patch,update,watch +all$/m,
    );
    assert.match(await kubectl("api-resources", "--namespaced=false", "-o", "name"), /^namespaces\nnodes\n/);
    assert.match(
      await kubectl("explain", "cronjob.spec.jobTemplate.spec.template.spec.containers.image"),
      /^GROUP: +batch\nKIND: +CronJob\nVERSION: +v1\n\nFIELD: image <string>\n/,
    );
    assert.match(await kubectl("explain", "deployment", "--recursive"), /^ +imagePullPolicy\t<string>$/m);
    assert.match(await lab.refused("explain", "pod.spec.nosuch"), /field "nosuch" does not exist/);
    // Older clients read the older document.
    assert.match(
      await kubectl("explain", "pod.spec.imagePullSecrets", "--output=plaintext-openapiv2"),
      /^KIND: +Pod\nVERSION: +v1\n\nRESOURCE: imagePullSecrets <\[\]Object>\n/,
    );
  });

  it("who may do what, and who asks", async () => {
    assert.match(
      await kubectl("auth", "whoami"),
      /^Username +admin$[^]*^Groups +\[system:masters system:authenticated\]$/m,
    );
    assert.equal(await kubectl("auth", "can-i", "delete", "pods", "-A"), "yes\n");
    assert.match(await kubectl("auth", "can-i", "--list"), /^\*\.\* +\[\] +\[\] +\[\*\]$/m);
    const robot = "--as=system:serviceaccount:default:robot";
    const answer = await lab.run(["auth", "can-i", "delete", "pods", robot]);
    assert.deepEqual([answer.status, answer.stdout], [1, "no\n"]);
    assert.match(
      await lab.refused("get", "secrets", robot),
      /^Error from server \(Forbidden\): secrets is forbidden: User "system:serviceaccount:default:robot" cannot list resource "secrets" in API group "" in the namespace "default"/,
    );
    const token = (await kubectl("create", "token", "robot", "--duration=10m")).trim();
    assert.match(
      await kubectl(
        "auth",
        "whoami",
        `--token=${token}`,
        "--kubeconfig",
        "/dev/null",
        "--server",
        await server(),
        "--insecure-skip-tls-verify",
      ),
      /^Username +system:serviceaccount:default:robot$/m,
    );
    assert.match(await lab.refused("create", "token", "nobody"), /serviceaccounts "nobody" not found/);
  });

  it("how the server is", async () => {
    assert.match(
      await kubectl("get", "--raw", "/readyz?verbose"),
      /^\[\+\]ping ok\n[^]*readyz check passed\n$/,
    );
    assert.equal(await kubectl("get", "--raw", "/livez"), "ok");
    assert.match(await kubectl("get", "--raw", "/metrics"), /^apiserver_request_total\{/m);
    assert.match(await kubectl("version"), /^Server Version: v1\.36\./m);
    assert.match(
      await kubectl("config", "view"),
      /certificate-authority-data: DATA\+OMITTED[^]*token: REDACTED/,
    );
    assert.equal(await kubectl("config", "current-context"), "dray\n");
    // It asks for Services, which dray hasn't got.
    assert.match(await lab.refused("cluster-info"), /the server doesn't have a resource type "services"/);
  });

  it("events, of one object and of all", async () => {
    const events = await kubectl("events", "--for", "deployment/web");
    assert.match(
      events,
      /^\S+ +Normal +ScalingReplicaSet +Deployment\/web +Scaled up replica set web-\S+ from 0 to 2$/m,
    );
    assert.doesNotMatch(events, /StatefulSet/);
    const ofSets = ["--field-selector", "involvedObject.kind=StatefulSet", "--sort-by=.lastTimestamp"];
    await lab.shows(/SuccessfulCreate +statefulset\/db/, "get", "events", ...ofSets);
    assert.match(await kubectl("get", "events.events.k8s.io", "-o", "name"), /^event.events.k8s.io\/web\./m);
  });

  async function server(): Promise<string> {
    return await kubectl("config", "view", "-o", "jsonpath={.clusters[0].cluster.server}");
  }
});
