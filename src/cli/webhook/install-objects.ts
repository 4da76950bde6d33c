/** Everything a cluster needs to run the webhook, as objects to apply. */
import { POD_RESOURCES } from "../../admission/index.ts";
import type { JsonObject, KubernetesObject } from "../../kubernetes/index.ts";

export interface InstallOptions {
  readonly namespace: string;
  /** Of the Service, the Deployment and all the rest. */
  readonly name: string;
  /** dray's own. */
  readonly image: string;
  readonly replicas: number;
  /** Options of `dray webhook` that say what to do with images. */
  readonly args: readonly string[];
  /** The content of `--config`. */
  readonly config?: string | undefined;
  readonly mutates: boolean;
  readonly validates: boolean;
  /** Whether it looks up tags, for which it reads Secrets and ServiceAccounts. */
  readonly pins: boolean;
  readonly failurePolicy: "Fail" | "Ignore";
  /** How long the API server waits, in seconds. */
  readonly timeoutSeconds: number;
}

/** Objects to apply first, and the configurations that make the API server ask, to apply once somebody answers. */
export interface InstallObjects {
  readonly server: readonly KubernetesObject[];
  readonly configurations: readonly KubernetesObject[];
}

const PORT = 8443;
const CONFIG_FOLDER = "/etc/dray";
const CONFIG_FILE = "webhook.yaml";
const HOME = "/home/dray";

export function installObjects(options: InstallOptions): InstallObjects {
  return {
    server: [
      namespaceOf(options),
      named("v1", "ServiceAccount", options),
      ...roles(options),
      ...(options.config === undefined ? [] : [configMap(options, options.config)]),
      service(options),
      deployment(options),
      disruptionBudget(options),
    ],
    configurations: [
      ...(options.mutates ? [configuration(options, "Mutating")] : []),
      ...(options.validates ? [configuration(options, "Validating")] : []),
    ],
  };
}

/** The name of the Secret with the webhook's own certificate. */
export function certificateSecret(name: string): string {
  return `${name}-tls`;
}

function labels({ name }: Pick<InstallOptions, "name">): Record<string, string> {
  return { "app.kubernetes.io/name": "dray", "app.kubernetes.io/component": name };
}

function named(
  apiVersion: string,
  kind: string,
  options: InstallOptions,
  rest: JsonObject = {},
): KubernetesObject {
  const { name, namespace } = options;
  return { apiVersion, kind, metadata: { name, namespace, labels: labels(options) }, ...rest };
}

function clusterWide(
  apiVersion: string,
  kind: string,
  options: InstallOptions,
  rest: JsonObject = {},
): KubernetesObject {
  // Two installations in different namespaces stay out of each other's way.
  const name = `${options.name}.${options.namespace}`;
  return { apiVersion, kind, metadata: { name, labels: labels(options) }, ...rest };
}

/** What the configurations are called, which is also what the webhook looks for. */
export function configurationName({ name, namespace }: Pick<InstallOptions, "name" | "namespace">): string {
  return `${name}.${namespace}`;
}

function namespaceOf(options: InstallOptions): KubernetesObject {
  const enforced = { "pod-security.kubernetes.io/enforce": "restricted" };
  return {
    apiVersion: "v1",
    kind: "Namespace",
    metadata: { name: options.namespace, labels: { ...labels(options), ...enforced } },
  };
}

const RBAC = "rbac.authorization.k8s.io/v1";

function roles(options: InstallOptions): readonly KubernetesObject[] {
  const { name, namespace, pins } = options;
  const roleRef = (kind: string, role: string): JsonObject => ({
    apiGroup: "rbac.authorization.k8s.io",
    kind,
    name: role,
  });
  const subjects = [{ kind: "ServiceAccount", name, namespace }];
  const resourceNames = [certificateSecret(name)];
  const clusterRules = [
    {
      apiGroups: ["admissionregistration.k8s.io"],
      resources: ["mutatingwebhookconfigurations", "validatingwebhookconfigurations"],
      resourceNames: [configurationName(options)],
      verbs: ["get", "patch"],
    },
    // To look up a tag as the Pod that names it would.
    ...(pins ? [{ apiGroups: [""], resources: ["secrets", "serviceaccounts"], verbs: ["get"] }] : []),
  ];
  const rules = [
    { apiGroups: [""], resources: ["secrets"], verbs: ["create"] },
    { apiGroups: [""], resources: ["secrets"], resourceNames, verbs: ["get", "update"] },
  ];
  return [
    clusterWide(RBAC, "ClusterRole", options, { rules: clusterRules }),
    clusterWide(RBAC, "ClusterRoleBinding", options, {
      roleRef: roleRef("ClusterRole", configurationName(options)),
      subjects,
    }),
    named(RBAC, "Role", options, { rules }),
    named(RBAC, "RoleBinding", options, { roleRef: roleRef("Role", name), subjects }),
  ];
}

function configMap(options: InstallOptions, config: string): KubernetesObject {
  return named("v1", "ConfigMap", options, { data: { [CONFIG_FILE]: config } });
}

function service(options: InstallOptions): KubernetesObject {
  const ports = [{ name: "https", port: 443, targetPort: "https", protocol: "TCP" }];
  return named("v1", "Service", options, { spec: { selector: labels(options), ports } });
}

function disruptionBudget(options: InstallOptions): KubernetesObject {
  const spec = { maxUnavailable: 1, selector: { matchLabels: labels(options) } };
  return named("policy/v1", "PodDisruptionBudget", options, { spec });
}

function deployment(options: InstallOptions): KubernetesObject {
  const { name, namespace, replicas, config, args } = options;
  const volumes = [
    { name: "home", emptyDir: { sizeLimit: "64Mi" } },
    ...(config === undefined ? [] : [{ name: "config", configMap: { name } }]),
  ];
  const volumeMounts = [
    { name: "home", mountPath: HOME },
    ...(config === undefined ? [] : [{ name: "config", mountPath: CONFIG_FOLDER, readOnly: true }]),
  ];
  const container = {
    name: "webhook",
    image: options.image,
    args: [
      "webhook",
      `--port=${PORT}`,
      `--namespace=${namespace}`,
      `--name=${name}`,
      ...(config === undefined ? [] : [`--config=${CONFIG_FOLDER}/${CONFIG_FILE}`]),
      ...args,
    ],
    env: [{ name: "HOME", value: HOME }],
    ports: [{ name: "https", containerPort: PORT, protocol: "TCP" }],
    readinessProbe: { httpGet: { path: "/readyz", port: "https", scheme: "HTTPS" }, periodSeconds: 5 },
    livenessProbe: { httpGet: { path: "/livez", port: "https", scheme: "HTTPS" }, periodSeconds: 20 },
    resources: { requests: { cpu: "50m", memory: "96Mi" }, limits: { memory: "384Mi" } },
    securityContext: {
      allowPrivilegeEscalation: false,
      readOnlyRootFilesystem: true,
      capabilities: { drop: ["ALL"] },
    },
    volumeMounts,
  };
  const spread = {
    maxSkew: 1,
    topologyKey: "kubernetes.io/hostname",
    whenUnsatisfiable: "ScheduleAnyway",
    labelSelector: { matchLabels: labels(options) },
  };
  const spec = {
    serviceAccountName: name,
    securityContext: {
      runAsNonRoot: true,
      runAsUser: 65_532,
      runAsGroup: 65_532,
      seccompProfile: { type: "RuntimeDefault" },
    },
    // Longer than the API server waits for an answer.
    terminationGracePeriodSeconds: 40,
    topologySpreadConstraints: [spread],
    containers: [container],
    volumes,
  };
  return named("apps/v1", "Deployment", options, {
    spec: {
      replicas,
      selector: { matchLabels: labels(options) },
      template: { metadata: { labels: labels(options) }, spec },
    },
  });
}

function configuration(options: InstallOptions, kind: "Mutating" | "Validating"): KubernetesObject {
  const { name, namespace, failurePolicy, timeoutSeconds } = options;
  const mutating = kind === "Mutating";
  const webhook = {
    name: mutating ? "mutate.images.dray.dev" : "validate.images.dray.dev",
    admissionReviewVersions: ["v1"],
    clientConfig: { service: { name, namespace, path: mutating ? "/mutate" : "/validate", port: 443 } },
    rules: rules(),
    failurePolicy,
    matchPolicy: "Equivalent",
    sideEffects: "None",
    timeoutSeconds,
    // What the cluster itself needs to come up, and the webhook above all, must not wait for the webhook.
    namespaceSelector: {
      matchExpressions: [
        {
          key: "kubernetes.io/metadata.name",
          operator: "NotIn",
          values: [...new Set([namespace, "kube-system", "kube-node-lease"])],
        },
      ],
    },
    // Others after us may bring further containers.
    ...(mutating && { reinvocationPolicy: "IfNeeded" }),
  };
  const apiVersion = "admissionregistration.k8s.io/v1";
  return clusterWide(apiVersion, `${kind}WebhookConfiguration`, options, { webhooks: [webhook] });
}

/** Every kind that holds a Pod spec, and the door for ephemeral containers. */
function rules(): readonly JsonObject[] {
  const byGroup = new Map<string, string[]>();
  for (const resource of POD_RESOURCES) {
    const [group = "", plural = ""] = resource.split("/");
    byGroup.set(group, [...(byGroup.get(group) ?? []), plural]);
  }
  return [...byGroup].map(([group, resources]) => ({
    apiGroups: [group],
    apiVersions: ["v1"],
    operations: ["CREATE", "UPDATE"],
    resources: group === "" ? [...resources, "pods/ephemeralcontainers"] : resources,
    scope: "Namespaced",
  }));
}
