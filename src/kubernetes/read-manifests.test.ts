import assert from "node:assert/strict";
import { test } from "node:test";

import { parse } from "yaml";

import { formatProblem, type Located, readManifests } from "./read-manifests.ts";

/** Where an object comes from and what it says, without the text it was read from. */
function withoutManifests<T>(all: readonly Located<T>[]): readonly Located<T>[] {
  return all.map(({ file, document, line, object }) => ({ file, document, line, object }));
}

function read(
  text: string,
): Pick<ReturnType<typeof readManifests>, "pods" | "others" | "problems"> & { messages: string[] } {
  const { pods, others, problems } = readManifests(text, { file: "web.yaml" });
  return { pods, others, problems, messages: problems.map(formatProblem) };
}

const POD = `apiVersion: v1
kind: Pod
metadata:
  name: web
spec:
  initContainers:
    - name: init
      image: localhost:5000/init:1
  containers:
    - name: main
      image: nginx
    - name: side
      image: ghcr.io/a/b@sha256:${"a".repeat(64)}
      imagePullPolicy: Never
  volumes:
    - name: data
      image: { reference: "models/llm:3", pullPolicy: Always }
    - name: scratch
      emptyDir: {}
  imagePullSecrets:
    - name: regcred
`;

test("readManifests() reads a Pod's images, policies, volumes and secrets", () => {
  const { pods, messages } = read(POD);
  assert.deepEqual(messages, []);
  assert.deepEqual(pods[0]?.manifest, parse(POD));
  assert.deepEqual(withoutManifests(pods), [
    {
      file: "web.yaml",
      document: 1,
      line: 1,
      object: {
        kind: "Pod",
        metadata: { name: "web", namespace: "default", annotations: {} },
        spec: {
          initContainers: [{ name: "init", image: "localhost:5000/init:1", imagePullPolicy: "IfNotPresent" }],
          containers: [
            { name: "main", image: "nginx", imagePullPolicy: "Always" },
            { name: "side", image: `ghcr.io/a/b@sha256:${"a".repeat(64)}`, imagePullPolicy: "Never" },
          ],
          ephemeralContainers: [],
          imageVolumes: [{ name: "data", reference: "models/llm:3", pullPolicy: "Always" }],
          imagePullSecrets: ["regcred"],
        },
      },
    },
  ]);
});

test("readManifests() reads several documents, Lists and JSON with tabs alike", () => {
  const json = JSON.stringify(
    {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "j" },
      spec: { containers: [{ name: "c", image: "x:1" }] },
    },
    null,
    "\t",
  );
  const list = `---\n# nothing but a comment\n---\napiVersion: v1\nkind: List\nitems:\n- ${JSON.stringify(JSON.parse(json))}\n- {apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: {spec: {containers: [{name: c, image: "y:2"}]}}}}\n`;
  assert.deepEqual(read(json).messages, []);
  assert.equal(read(json).pods[0]?.object.metadata.name, "j");
  const result = read(`${POD}${list}`);
  assert.deepEqual(result.messages, []);
  assert.deepEqual(
    result.pods.map(({ object, document }) => [object.metadata.name, document]),
    [
      ["web", 1],
      ["j", 3],
    ],
  );
  assert.deepEqual(result.others[0]?.object, {
    kind: "Deployment",
    apiVersion: "apps/v1",
    name: "d",
    namespace: "default",
    images: ["y:2"],
  });
});

test("readManifests() names document, line and column of every fault, and keeps the good Pods", () => {
  const result = read(
    `${POD}---\nkind: Pod\napiVersion: v1\nmetadata: {name: Bad_Name}\nspec:\n  containers:\n  - name: c\n    image: 17\n  - name: c\n    image: " x"\n    imagePullPolicy: Sometimes\n---\nfoo: [\n`,
  );
  assert.equal(result.pods.length, 1);
  const start = POD.split("\n").length - 1;
  assert.deepEqual(result.messages.slice(0, 5), [
    `web.yaml, document 2, line ${start + 4}, column 18: metadata.name: Invalid value: "Bad_Name": use lower-case letters, digits, "-" and "."`,
    `web.yaml, document 2, line ${start + 8}, column 12: spec.containers[0].image should be text; quote it: "17"`,
    `web.yaml, document 2, line ${start + 10}, column 12: spec.containers[1].image: Invalid value: " x": must not have leading or trailing whitespace`,
    `web.yaml, document 2, line ${start + 11}, column 22: spec.containers[1].imagePullPolicy: Unsupported value: "Sometimes": supported values: "Always", "IfNotPresent", "Never"`,
    `web.yaml, document 2, line ${start + 6}, column 3: spec: Duplicate value: "c" names two containers`,
  ]);
  assert.match(result.messages[5] ?? "", /^web\.yaml, document 3, line \d+, column \d+: not valid YAML: /);
  assert.equal(result.messages.length, 6);
});

test("readManifests() knows a Pod's priority, its own or that of a class every cluster has", () => {
  const priorityOf = (spec: string): number | undefined =>
    read(
      `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {${spec}containers: [{name: c, image: a, volumeMounts: [{name: v}]}]}}`,
    ).pods[0]?.object.spec.priority;
  assert.equal(priorityOf(""), undefined);
  assert.equal(priorityOf("priority: 5, "), 5);
  assert.equal(priorityOf("priorityClassName: system-node-critical, "), 2_000_001_000);
  assert.equal(priorityOf("priorityClassName: toString, "), undefined);
  const { messages } = read(
    "{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {priority: high, containers: [{name: c, image: a}]}}",
  );
  assert.deepEqual(messages, ["web.yaml, line 1, column 67: spec.priority should be a whole number"]);
});

test("readManifests() says what is missing", () => {
  for (const [text, message] of [
    ["hello", "web.yaml, line 1, column 1: the document should be a map of names and values"],
    ["a: 1", "web.yaml, line 1, column 1: kind: Required value: this is no Kubernetes object"],
    ["kind: Pod", 'web.yaml, line 1, column 1: apiVersion: Required value: a Pod has "v1"'],
    ["{apiVersion: v1, kind: Pod, metadata: {name: a}}", "web.yaml, line 1, column 1: spec: Required value"],
    [
      "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: []}}",
      "web.yaml, line 1, column 69: spec.containers: Required value",
    ],
    [
      "{apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: a}]}}",
      "web.yaml, line 1, column 70: spec.containers[0].image: Required value",
    ],
    ["{kind: Pod, kind: Pod}", 'web.yaml, line 1, column 13: "kind" stands twice in one map'],
  ] as const) {
    assert.equal(read(text).messages[0], message, text);
  }
});

test("readManifests() follows anchors and merge keys", () => {
  const result = read(
    `apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec:\n  containers:\n  - &base\n    name: one\n    image: &image x:1\n  - <<: *base\n    name: two\n  - {name: three, image: *image}\n`,
  );
  assert.deepEqual(result.messages, []);
  assert.deepEqual(
    result.pods[0]?.object.spec.containers.map(({ name, image }) => `${name}=${image}`),
    ["one=x:1", "two=x:1", "three=x:1"],
  );
});

test("readManifests() lives through bombs", () => {
  const laughs = ["a: &a0 [x, x, x, x, x, x, x, x, x]"];
  for (let i = 1; i < 30; i++) laughs.push(`b${i}: &a${i} [${`*a${i - 1}, `.repeat(8)}*a${i - 1}]`);
  const pod = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: {containers: [{name: c, image: x}]}\n";
  assert.equal(read(`${pod}${laughs.join("\n")}`).pods.length, 1);

  const lists = [
    "x0: &l0 {apiVersion: v1, kind: Pod, metadata: {name: a}, spec: {containers: [{name: c, image: x}]}}",
  ];
  for (let i = 1; i <= 4; i++) {
    lists.push(`x${i}: &l${i} {apiVersion: v1, kind: List, items: [${`*l${i - 1},`.repeat(50)}]}`);
  }
  const many = readManifests(`${lists.join("\n")}\napiVersion: v1\nkind: List\nitems: [*l3]\n`, {
    file: "f",
    maxObjects: 500,
  });
  assert.ok(many.pods.length <= 500);
  assert.match(many.problems.at(-1)?.message ?? "", /more than 500 objects/);

  assert.match(read("[".repeat(200_000)).messages[0] ?? "", /nested too deeply|not valid YAML/);
  assert.match(
    readManifests("x".repeat(20), { file: "f", maxLength: 10 }).problems[0]?.message ?? "",
    /too long/,
  );
  const self =
    "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\nspec: &s\n  <<: *s\n  containers: [{name: c, image: x}]\n";
  assert.equal(read(self).pods.length, 1);
});

test("readManifests() can't be used to reach into prototypes", () => {
  const result = read(
    "apiVersion: v1\nkind: Pod\nmetadata:\n  name: a\n  annotations: {__proto__: evil, constructor: x}\nspec: {containers: [{name: c, image: x}]}\n__proto__: {polluted: yes}\n",
  );
  assert.deepEqual(result.messages, []);
  assert.ok(Object.hasOwn(result.pods[0]?.object.metadata.annotations ?? {}, "__proto__"));
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
  assert.equal(read("apiVersion: v1\nkind: __proto__\n").others.length, 1);
});

test("a Pod's restart policies and resources are read as written, and other policies are refused", () => {
  const text = `{apiVersion: v1, kind: Pod, metadata: {name: p}, spec: {restartPolicy: Never, containers: [
    {name: c, image: a, resources: {limits: {cpu: 1.50, memory: 64Mi}}}],
    initContainers: [{name: i, image: b, restartPolicy: Always}]}}`;
  const [pod] = readManifests(text, { file: "p.yaml" }).pods;
  assert.equal(pod?.object.spec.restartPolicy, "Never");
  assert.equal(pod.object.spec.initContainers[0]?.restartPolicy, "Always");
  assert.deepEqual(pod.object.spec.containers[0]?.resources, {
    limits: { cpu: "1.50", memory: "64Mi" },
    requests: {},
  });
  const { pods, problems } = readManifests(text.replace("Never", "Sometimes"), { file: "p.yaml" });
  assert.equal(pods.length, 0);
  assert.match(
    problems[0]?.message ?? "",
    /^spec\.restartPolicy: Unsupported value: "Sometimes": supported values: "Always", "OnFailure", "Never"$/,
  );
});

test("readManifests() complains of an alias without an anchor, which may stand in another document", () => {
  const text = `kind: Pod
apiVersion: v1
metadata: { name: &name a }
spec: { containers: [{ name: a, image: b }] }
---
kind: Pod
apiVersion: v1
metadata: { name: *name }
spec: { containers: [{ name: a, image: b }] }
`;
  const { problems } = readManifests(text, { file: "a.yaml" });
  assert.deepEqual(problems.map(({ document, line, message }) => [document, line, message]).slice(0, 1), [
    [2, 8, "an alias has no anchor before it; a text that begins with * needs quotes"],
  ]);
});

test("readManifests() keeps the whole manifest of a Pod, aliases unfolded, unless it unfolds without end", () => {
  const spec = "spec: {containers: [{name: c, image: a, env: [*e, *e]}]}";
  const text = `{apiVersion: v1, kind: Pod, metadata: {name: w, labels: &e {name: X}}, ${spec}}`;
  const [pod] = readManifests(text, { file: "web.yaml" }).pods;
  const containers = [{ name: "c", image: "a", env: [{ name: "X" }, { name: "X" }] }];
  assert.deepEqual(pod?.manifest?.["spec"], { containers });
  const bomb = ["a: &a0 [x]"];
  for (let level = 1; level < 12; level++)
    bomb.push(`a${level}: &a${level} [${"*a".concat(`${level - 1},`).repeat(9)}]`);
  const huge = `apiVersion: v1\nkind: Pod\nmetadata: {name: w}\nspec: {containers: [{name: c, image: a}]}\nx:\n  ${bomb.join("\n  ")}`;
  const [cut] = readManifests(huge, { file: "web.yaml" }).pods;
  assert.equal(cut?.object.metadata.name, "w");
  assert.equal(cut?.manifest, undefined);
});

test("readManifests() takes objects as they are written where somebody else judges them, and Secrets never", () => {
  const text = `{apiVersion: v1, kind: PodList, items: [
    {apiVersion: v1, kind: Pod, metadata: {name: w}, spec: {containers: [{name: c, image: " a"}]}},
    {apiVersion: v1, kind: Secret, metadata: {name: s}, stringData: {a: hush}}]}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: d}, spec: {template: {spec: {}}}}`;
  const { objects, pods, secrets, others, problems } = readManifests(text, { file: "a.yaml", unread: true });
  assert.deepEqual(
    objects.map(({ object, document }) => [object["kind"], document]),
    [
      ["Pod", 1],
      ["Deployment", 2],
    ],
  );
  assert.deepEqual([pods, others, problems], [[], [], []]);
  assert.deepEqual(
    secrets.map(({ object }) => object.metadata.name),
    ["s"],
  );
  assert.doesNotMatch(JSON.stringify(objects), /hush/);
});
