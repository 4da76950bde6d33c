import assert from "node:assert/strict";
import { describe, test } from "node:test";

import type { JsonObject, KubernetesObject } from "../objects/object.ts";
import { CONTAINER, complete, makePod, makeWorkload } from "./testing.ts";
import { validateCreate, validateUpdate } from "./validate.ts";

const SUBDOMAIN = /: a lowercase RFC 1123 subdomain must consist of/;
const LABEL = /: a lowercase RFC 1123 label must consist of/;

describe("validateCreate() of a Pod", () => {
  const cases: readonly (readonly [what: string, spec: JsonObject, ...errors: (string | RegExp)[]])[] = [
    ["nothing wrong", {}],
    ["no containers", { containers: [] }, "spec.containers: Required value"],
    ["one name twice", { initContainers: [CONTAINER] }, 'spec.initContainers[0].name: Duplicate value: "c"'],
    [
      "a sidecar with a probe, an init container with one",
      {
        initContainers: [
          { name: "a", image: "x", restartPolicy: "Always", readinessProbe: { exec: { command: ["x"] } } },
          { name: "b", image: "x", readinessProbe: { exec: { command: ["x"] } } },
        ],
      },
      "spec.initContainers[1].readinessProbe: Forbidden: may not be set for init containers without restartPolicy=Always",
    ],
    [
      "a padded image",
      of({ image: "x\u00a0" }),
      /containers\[0\]\.image: Invalid value: "x\\u00a0": must not have/,
    ],
    ["a byte order mark, which is no white space", of({ image: "\ufeffx" })],
    [
      "ports",
      of({
        ports: [
          { containerPort: 0 },
          { containerPort: 70000, name: "web" },
          { containerPort: 80, name: "web", hostPort: 80 },
          { containerPort: 81, hostPort: 80, protocol: "tcp" },
        ],
      }),
      "spec.containers[0].ports[0].containerPort: Required value",
      "spec.containers[0].ports[1].containerPort: Invalid value: 70000: must be between 1 and 65535, inclusive",
      'spec.containers[0].ports[2].name: Duplicate value: "web"',
      'spec.containers[0].ports[3].protocol: Unsupported value: "tcp": supported values: "SCTP", "TCP", "UDP"',
    ],
    [
      "one port of the host twice",
      of({ ports: [1, 2].map((containerPort) => ({ containerPort, hostPort: 80 })) }),
      'spec.containers[0].ports[1].hostPort: Duplicate value: "TCP//80"',
    ],
    [
      "the environment",
      of({
        env: [
          { name: "" },
          { name: "A=B", value: "x" },
          { name: "BOTH", value: "x", valueFrom: { fieldRef: { fieldPath: "metadata.name" } } },
          { name: "NONE", valueFrom: {} },
          { name: "FIELD", valueFrom: { fieldRef: { fieldPath: "spec.nosuch" } } },
        ],
      }),
      "spec.containers[0].env[0].name: Required value",
      /env\[1\]\.name: Invalid value: "A=B": a valid environment variable name must consist only of printable/,
      'spec.containers[0].env[2].valueFrom: Invalid value: "": may not be specified when `value` is not empty',
      'spec.containers[0].env[3].valueFrom: Invalid value: "": must specify one of: `fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`',
      'spec.containers[0].env[4].valueFrom.fieldRef.fieldPath: Invalid value: "spec.nosuch": error converting fieldPath: field label not supported: spec.nosuch',
    ],
    [
      "a mount of no volume, and two in one place",
      {
        volumes: [{ name: "v" }],
        ...of({
          volumeMounts: [
            { name: "v", mountPath: "/x" },
            { name: "w", mountPath: "/x" },
          ],
        }),
      },
      'spec.containers[0].volumeMounts[1].name: Not found: "w"',
      'spec.containers[0].volumeMounts[1].mountPath: Invalid value: "/x": must be unique',
    ],
    [
      "volumes",
      {
        volumes: [
          { name: "Bad", emptyDir: {} },
          { name: "a", emptyDir: {}, secret: { secretName: "s" } },
          { name: "b", secret: {} },
          { name: "c", emptyDir: {} },
          { name: "c", emptyDir: {} },
          { name: "d", image: { reference: "", pullPolicy: "Often" } },
        ],
      },
      LABEL,
      "spec.volumes[1].secret: Forbidden: may not specify more than 1 volume type",
      "spec.volumes[2].secret.secretName: Required value",
      'spec.volumes[4].name: Duplicate value: "c"',
      "spec.volumes[5].image.reference: Required value",
      'spec.volumes[5].image.pullPolicy: Unsupported value: "Often": supported values: "Always", "IfNotPresent", "Never"',
    ],
    [
      "resources",
      of({ resources: { limits: { cpu: "1", gpu: "1" }, requests: { cpu: "2", memory: "-1" } } }),
      'spec.containers[0].resources.limits[gpu]: Invalid value: "gpu": must be a standard resource for containers',
      'spec.containers[0].resources.requests: Invalid value: "2": must be less than or equal to cpu limit of 1',
      'spec.containers[0].resources.requests[gpu]: Invalid value: "gpu": must be a standard resource for containers',
      'spec.containers[0].resources.requests[memory]: Invalid value: "-1": must be greater than or equal to 0',
    ],
    [
      "what happens when a container is resized",
      of({
        resizePolicy: [
          { resourceName: "cpu", restartPolicy: "NotRequired" },
          { resourceName: "cpu", restartPolicy: "Always" },
          { resourceName: "disk", restartPolicy: "" },
        ],
      }),
      'spec.containers[0].resizePolicy: Duplicate value: "cpu"',
      'spec.containers[0].resizePolicy: Unsupported value: "Always": supported values: "NotRequired", "RestartContainer"',
      'spec.containers[0].resizePolicy: Unsupported value: "disk": supported values: "cpu", "memory"',
      "spec.containers[0].resizePolicy: Required value",
    ],
    [
      "probes",
      of({
        livenessProbe: { httpGet: { port: "Web" }, successThreshold: 2 },
        readinessProbe: { terminationGracePeriodSeconds: 5 },
      }),
      /livenessProbe\.httpGet\.port: Invalid value: "Web": must contain only alpha-numeric characters/,
      "spec.containers[0].livenessProbe.successThreshold: Invalid value: 2: must be 1",
      "spec.containers[0].readinessProbe: Required value: must specify a handler type",
      "spec.containers[0].readinessProbe.terminationGracePeriodSeconds: Invalid value: 5: must not be set for readinessProbes",
    ],
    [
      "words that aren't any",
      { restartPolicy: "Often", dnsPolicy: "Some", preemptionPolicy: "Maybe" },
      'spec.restartPolicy: Unsupported value: "Often": supported values: "Always", "OnFailure", "Never"',
      'spec.dnsPolicy: Unsupported value: "Some": supported values: "ClusterFirstWithHostNet", "ClusterFirst", "Default", "None"',
      'spec.preemptionPolicy: Unsupported value: "Maybe": supported values: "PreemptLowerPriority", "Never"',
    ],
    [
      "names of other things",
      { nodeName: "N", serviceAccountName: "A B", hostname: "h.x", priorityClassName: "P" },
      /^spec\.serviceAccountName/,
      /^spec\.nodeName/,
      /^spec\.hostname: Invalid value: "h\.x": a lowercase RFC 1123 label/,
      /^spec\.priorityClassName/,
    ],
    [
      "a deadline of nothing",
      { activeDeadlineSeconds: 0 },
      "spec.activeDeadlineSeconds: Invalid value: 0: must be between 1 and 2147483647, inclusive",
    ],
    [
      "tolerations",
      {
        tolerations: [
          { operator: "Equal", value: "x" },
          { key: "k", operator: "Exists", effect: "NoSchedule", tolerationSeconds: 1 },
          { key: "k", operator: "Near", effect: "Never" },
        ],
      },
      'spec.tolerations[0].operator: Invalid value: "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
      "spec.tolerations[1].effect: Invalid value: \"NoSchedule\": effect must be 'NoExecute' when `tolerationSeconds` is set",
      'spec.tolerations[2].operator: Unsupported value: "Near": supported values: "Equal", "Exists"',
      'spec.tolerations[2].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
    ],
  ];
  for (const [what, spec, ...errors] of cases) {
    test(what, () => expectErrors(validateCreate(makePod(spec)), errors));
  }
});

test("metadata is judged for every kind", () => {
  const pod = (metadata: JsonObject) => validateCreate(makePod({}, metadata));
  expectErrors(pod({ name: "A" }), [SUBDOMAIN]);
  expectErrors(pod({ name: "" }), ["metadata.name: Required value: name or generateName is required"]);
  expectErrors(pod({ namespace: "" }), ["metadata.namespace: Required value"]);
  expectErrors(pod({ generateName: "a-" }), []);
  expectErrors(pod({ generateName: "AB-" }), [/^metadata\.generateName/]);
  expectErrors(pod({ labels: { "a b": "c d" } }), [
    /^metadata\.labels: Invalid value: "a b": name part must consist/,
    /^metadata\.labels: Invalid value: "c d": a valid label must be an empty string or consist/,
  ]);
  expectErrors(pod({ annotations: { a: "x".repeat(256 * 1024) } }), [
    "metadata.annotations: Too long: may not be more than 262144 bytes",
  ]);
  expectErrors(pod({ finalizers: ["mine"] }), [
    'metadata.finalizers[0]: Invalid value: "mine": name is neither a standard finalizer name nor is it fully qualified',
  ]);
  const owner = { apiVersion: "v1", kind: "Pod", name: "o", uid: "1", controller: true };
  expectErrors(pod({ ownerReferences: [owner, { ...owner, name: "" }] }), [
    'metadata.ownerReferences[1].name: Invalid value: "": must not be empty',
    /^metadata\.ownerReferences: Invalid value: \[.*\]: Only one reference can have Controller set to true/,
  ]);
  const namespace = complete({ apiVersion: "v1", kind: "Namespace", metadata: { name: "a.b" } });
  expectErrors(validateCreate(namespace), [LABEL]);
});

describe("kinds that make Pods", () => {
  test("they change their Pods in ways that are known", () => {
    const unknown = { type: "X" };
    for (const [kind, spec, why] of [
      [
        "Deployment",
        { strategy: unknown },
        'spec.strategy: Unsupported value: {"Type":"X","RollingUpdate":null}: supported values: "Recreate", "RollingUpdate"',
      ],
      [
        "DaemonSet",
        { updateStrategy: unknown },
        'spec.updateStrategy: Unsupported value: {"Type":"X","RollingUpdate":null}: supported values: "RollingUpdate", "OnDelete"',
      ],
      [
        "StatefulSet",
        { updateStrategy: unknown },
        'spec.updateStrategy: Invalid value: {"Type":"X","RollingUpdate":null}: must be \'RollingUpdate\' or \'OnDelete\'',
      ],
      [
        "StatefulSet",
        { updateStrategy: { type: "OnDelete", rollingUpdate: { partition: 1 } } },
        'spec.updateStrategy.rollingUpdate: Invalid value: {"Partition":1,"MaxUnavailable":null}: only allowed for updateStrategy \'RollingUpdate\'',
      ],
      [
        "DaemonSet",
        { updateStrategy: { rollingUpdate: { maxUnavailable: 0 } } },
        "spec.updateStrategy.rollingUpdate.maxUnavailable: Required value: cannot be 0 when maxSurge is 0",
      ],
      [
        "DaemonSet",
        { updateStrategy: { rollingUpdate: { maxUnavailable: 1, maxSurge: "10%" } } },
        'spec.updateStrategy.rollingUpdate.maxSurge: Invalid value: "10%": may not be set when maxUnavailable is non-zero',
      ],
    ] as const) {
      expectErrors(validateCreate(makeWorkload("apps/v1", kind, spec)), [why]);
    }
  });

  test("selectors are shown in the order in which they are declared", () => {
    const selector = {
      matchExpressions: [{ values: ["x"], operator: "Frob", key: "b" }],
      matchLabels: { app: "t" },
    };
    expectErrors(validateCreate(makeWorkload("apps/v1", "Deployment", { selector })), [
      /^spec\.selector\.matchExpressions\[0\]\.operator: /,
      'spec.selector: Invalid value: {"matchLabels":{"app":"t"},"matchExpressions":[{"key":"b","operator":"Frob","values":["x"]}]}: invalid label selector',
    ]);
  });

  test("a StatefulSet's name begins host names; others' don't", () => {
    const named = (kind: string): KubernetesObject => {
      const object = makeWorkload("apps/v1", kind);
      return { ...object, metadata: { ...object.metadata, name: "a.b" } };
    };
    expectErrors(validateCreate(named("Deployment")), []);
    expectErrors(validateCreate(named("StatefulSet")), [
      /^metadata\.name: Invalid value: "a\.b": a lowercase RFC 1123 label must/,
    ]);
    expectErrors(validateUpdate(named("StatefulSet"), named("StatefulSet"), ""), []);
  });

  test("a ReplicationController has a template", () => {
    const { template: _, ...spec } = makeWorkload("v1", "ReplicationController")["spec"] as JsonObject;
    const controller = { ...makeWorkload("v1", "ReplicationController"), spec };
    expectErrors(validateCreate(controller), ["spec.template: Required value"]);
  });

  test("what they make must be found again", () => {
    const other = { selector: { matchLabels: { app: "other" } } };
    for (const [version, kind] of [
      ["apps/v1", "Deployment"],
      ["apps/v1", "ReplicaSet"],
      ["apps/v1", "StatefulSet"],
      ["apps/v1", "DaemonSet"],
    ] as const) {
      expectErrors(validateCreate(makeWorkload(version, kind)), []);
      expectErrors(validateCreate(makeWorkload(version, kind, other)), [
        'spec.template.metadata.labels: Invalid value: {"app":"t"}: `selector` does not match template `labels`',
      ]);
    }
    const controller = makeWorkload("v1", "ReplicationController", { selector: { app: "x" } });
    expectErrors(validateCreate(controller), [/`selector` does not match template `labels`$/]);
  });

  test("only Jobs' Pods end", () => {
    const never = { restartPolicy: "Never" };
    expectErrors(validateCreate(makeWorkload("apps/v1", "Deployment", {}, never)), [
      'spec.template.spec.restartPolicy: Unsupported value: "Never": supported values: "Always"',
    ]);
    expectErrors(validateCreate(makeWorkload("batch/v1", "Job", {}, never)), []);
    const indexed = { completionMode: "Indexed", parallelism: 2 };
    expectErrors(validateCreate(makeWorkload("batch/v1", "Job", indexed, never)), [
      "spec.completions: Required value: when completion mode is Indexed",
    ]);
    expectErrors(validateCreate(makeWorkload("batch/v1", "Job")), [
      'spec.template.spec.restartPolicy: Required value: valid values: "OnFailure", "Never"',
    ]);
  });

  test("a template may have padded images and images without a name in volumes", () => {
    const volumes = [{ name: "v", image: {} }];
    const padded = { containers: [{ name: "c", image: " x " }], volumes };
    expectErrors(validateCreate(makeWorkload("apps/v1", "Deployment", {}, padded)), []);
  });

  test("selectors stay, and so does a Job's template", () => {
    const old = makeWorkload("apps/v1", "Deployment");
    const labels = { selector: { matchLabels: { app: "t", more: "x" } } };
    const errors = validateUpdate(makeWorkload("apps/v1", "Deployment", labels), old, "");
    expectErrors(errors, [
      /`selector` does not match template `labels`$/,
      'spec.selector: Invalid value: {"matchLabels":{"app":"t","more":"x"}}: field is immutable',
    ]);
    const never = { restartPolicy: "Never" };
    const job = makeWorkload("batch/v1", "Job", {}, never);
    const changed = makeWorkload(
      "batch/v1",
      "Job",
      {},
      { ...never, containers: [{ ...CONTAINER, image: "b" }] },
    );
    expectErrors(validateUpdate(changed, job, ""), [
      /^spec\.template: Invalid value: \{"labels":\{"app":"t"\},"Spec":\{"Volumes":null,.*: field is immutable$/,
    ]);
  });

  test("a StatefulSet changes some of itself only", () => {
    const old = makeWorkload("apps/v1", "StatefulSet");
    const more = makeWorkload("apps/v1", "StatefulSet", { replicas: 3 });
    expectErrors(validateUpdate(more, old, ""), []);
    const parallel = makeWorkload("apps/v1", "StatefulSet", { podManagementPolicy: "Parallel" });
    expectErrors(validateUpdate(parallel, old, ""), [
      /^spec: Forbidden: updates to statefulset spec for fields/,
    ]);
  });

  test("a CronJob's schedule is one", () => {
    const job = (spec: JsonObject): KubernetesObject =>
      complete({
        apiVersion: "batch/v1",
        kind: "CronJob",
        metadata: { name: "c", namespace: "n" },
        spec: {
          jobTemplate: { spec: { template: { spec: { containers: [CONTAINER], restartPolicy: "Never" } } } },
          ...spec,
        },
      });
    for (const good of ["* * * * *", "*/5 1-3 ? jan,FEB mon-fri", "@daily", "@every 1h30m", "0 0 1 1 0"]) {
      expectErrors(validateCreate(job({ schedule: good })), []);
    }
    for (const [bad, why] of [
      ["* * * *", "expected exactly 5 fields, found 4: [* * * *]"],
      ["60 * * * *", "end of range (60) above maximum (59): 60"],
      ["a * * * *", 'failed to parse int from a: strconv.Atoi: parsing "a": invalid syntax'],
      ["5-1 * * * *", "beginning of range (5) beyond end of range (1): 5-1"],
      ["*/0 * * * *", "step of range should be a positive number: */0"],
      ["@often", "unrecognized descriptor: @often"],
    ] as const) {
      expectErrors(validateCreate(job({ schedule: bad })), [
        `spec.schedule: Invalid value: ${JSON.stringify(bad)}: ${why}`,
      ]);
    }
    expectErrors(validateCreate(job({ schedule: "" })), ["spec.schedule: Required value"]);
    const zoned = job({ schedule: "TZ=UTC * * * * *" });
    expectErrors(validateCreate(zoned), [
      'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use TZ or CRON_TZ in schedule, use timeZone field instead',
    ]);
    expectErrors(validateUpdate(zoned, zoned, ""), []);
    expectErrors(validateUpdate(job({ schedule: "TZ=UTC * * * * *", timeZone: "UTC" }), zoned, ""), [
      'spec.schedule: Invalid value: "TZ=UTC * * * * *": cannot use both timeZone field and TZ or CRON_TZ in schedule',
    ]);
    expectErrors(validateCreate(job({ schedule: "@daily", timeZone: "Local" })), [
      'spec.timeZone: Invalid value: "Local": timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones',
    ]);
    expectErrors(validateCreate(job({ schedule: "@daily", timeZone: "Mars/Olympus" })), [
      'spec.timeZone: Invalid value: "Mars/Olympus": unknown time zone Mars/Olympus',
    ]);
  });
});

test("a selector that can't be read keeps the template from being judged, but a DaemonSet's", () => {
  const selector = { matchExpressions: [{ key: "app", operator: "Near", values: ["t"] }] };
  const operator =
    'spec.selector.matchExpressions[0].operator: Invalid value: "Near": not a valid selector operator';
  const errorsOf = (kind: string): ReturnType<typeof validateCreate> =>
    validateCreate(makeWorkload("apps/v1", kind, { selector }, { containers: [{ name: "c", image: "" }] }));
  for (const kind of ["Deployment", "ReplicaSet"]) {
    expectErrors(errorsOf(kind), [operator, /^spec\.selector: Invalid value: .*: invalid label selector$/]);
  }
  expectErrors(errorsOf("StatefulSet"), [operator, /^spec\.selector: Invalid value: /]);
  expectErrors(errorsOf("DaemonSet"), [operator, "spec.template.spec.containers[0].image: Required value"]);
});

test("names that every JavaScript object has are names like others", () => {
  const named = { apiVersion: "v1", metadata: { name: "x", namespace: "n" } };
  const secret = complete({ ...named, kind: "Secret", type: "constructor", data: { toString: "eA==" } });
  expectErrors(validateCreate(secret), []);
  const map = complete({
    ...named,
    kind: "ConfigMap",
    data: { constructor: "x" },
    binaryData: { a: "eA==" },
  });
  expectErrors(validateCreate(map), []);
  const exists = { matchExpressions: [{ key: "constructor", operator: "Exists" }] };
  expectErrors(validateCreate(makeWorkload("apps/v1", "ReplicaSet", { selector: exists })), [
    /`selector` does not match template `labels`$/,
  ]);
});

function of(container: JsonObject): JsonObject {
  return { containers: [{ ...CONTAINER, ...container }] };
}

function expectErrors(
  errors: readonly { readonly message: string }[],
  expected: readonly (string | RegExp)[],
): void {
  const messages = errors.map(({ message }) => message);
  assert.equal(messages.length, expected.length, messages.join("\n"));
  for (const [index, one] of expected.entries()) {
    if (typeof one === "string") assert.equal(messages[index], one);
    else assert.match(messages[index] ?? "", one);
  }
}
