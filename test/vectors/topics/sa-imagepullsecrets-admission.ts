import {
  type AdmissionOperation,
  type AdmissionRequest,
  runAdmission,
  serviceAccountAdmission,
} from "../../../src/admission/index.ts";
import type { JsonObject, KubernetesObject } from "../../../src/kubernetes/index.ts";
import { pick, type Topic, type Vector } from "../topic.ts";

interface Account {
  readonly name: string;
  readonly annotations?: Readonly<Record<string, string>>;
  readonly imagePullSecrets?: readonly string[];
  readonly secrets?: readonly string[];
  /** Not in the cache yet. */
  readonly onlyInAPI?: boolean;
}

interface PodShape extends JsonObject {
  readonly annotations?: Readonly<Record<string, string>>;
  readonly imagePullSecrets?: readonly string[];
  readonly serviceAccountTokenProjection?: boolean;
  /** Names of the Secrets that its volumes hold. */
  readonly secretVolumes?: readonly string[];
  readonly volumes?: readonly JsonObject[];
}

interface Expectation {
  readonly rejected: boolean;
  readonly error?: string;
  readonly derivedError?: string;
  readonly pod?: Readonly<Record<string, unknown>>;
}

export const topic: Topic = {
  async check(vector) {
    if ("handles" in vector) {
      const expected = vector["handles"] as Readonly<Record<string, boolean>>;
      return { actual: await handledOf(Object.keys(expected)), expected };
    }
    const request = requestOf(vector, vector["request"] as Readonly<Record<string, string>>);
    const decision = await runAdmission([pluginOf(vector)], request);
    const expect = vector["expect"] as Expectation;
    const error = expect.error ?? expect.derivedError;
    const spec = decision.allowed ? reduce(decision.object) : {};
    return {
      actual: {
        rejected: !decision.allowed,
        ...(error !== undefined && { error: decision.allowed ? "" : decision.status.message }),
        ...(expect.pod !== undefined && { pod: pick(spec, Object.keys(expect.pod)) }),
      },
      expected: {
        rejected: expect.rejected,
        ...(error !== undefined && { error }),
        ...(expect.pod !== undefined && { pod: expect.pod }),
      },
    };
  },
};

function pluginOf(vector: Vector): ReturnType<typeof serviceAccountAdmission> {
  const account = vector["serviceAccount"] as Account | null;
  const stored = account === null ? undefined : toAccount(account);
  const found = ({ name }: { readonly name: string }): KubernetesObject | undefined =>
    stored?.metadata.name === name ? stored : undefined;
  return serviceAccountAdmission({
    accounts: {
      cached: (name) => (account?.onlyInAPI === true ? undefined : found(name)),
      read: found,
    },
    limitSecretReferences: vector["limitSecretReferences"] === true,
    timing: { sleep: async () => {} },
  });
}

async function handledOf(operations: readonly string[]): Promise<Record<string, boolean>> {
  const plugin = pluginOf({ id: "", serviceAccount: null });
  const entries = operations.map(async (operation): Promise<[string, boolean]> => {
    const request = { operation, resource: "pods", subresource: "", namespace: "n", name: "p" };
    const decision = await runAdmission([plugin], requestOf({ id: "", pod: {} }, request));
    // There is no account, so whoever looks refuses.
    return [operation, !decision.allowed];
  });
  return Object.fromEntries(await Promise.all(entries));
}

function requestOf(vector: Vector, request: Readonly<Record<string, string>>): AdmissionRequest {
  const { resource = "", subresource = "", namespace = "", name = "" } = request;
  const core = { group: "", version: "v1" };
  const pod = vector["pod"] as PodShape | null | undefined;
  const objectKind = vector["objectKind"];
  return {
    operation: request["operation"] as AdmissionOperation,
    resource: { ...core, resource },
    kind: { ...core, kind: "Pod" },
    subresource,
    name,
    namespace,
    ...(pod !== null && {
      object: { ...toPod(pod ?? {}), ...(typeof objectKind === "string" && { kind: objectKind }) },
    }),
    dryRun: false,
    user: { name: "", groups: [] },
  };
}

function toPod(shape: PodShape): KubernetesObject {
  const { annotations, imagePullSecrets, serviceAccountTokenProjection, secretVolumes, ...spec } = shape;
  const projected = { sources: [{ serviceAccountToken: { path: "token" } }] };
  const volumes: readonly JsonObject[] = [
    ...(spec.volumes ?? []),
    ...(secretVolumes ?? []).map((secretName) => ({ name: secretName, secret: { secretName } })),
    ...(serviceAccountTokenProjection === true ? [{ name: "token", projected }] : []),
  ];
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { ...(annotations !== undefined && { annotations }) },
    spec: {
      ...spec,
      ...(imagePullSecrets !== undefined && { imagePullSecrets: references(imagePullSecrets) }),
      ...(volumes.length > 0 && { volumes }),
    },
  };
}

function toAccount({ name, annotations, imagePullSecrets = [], secrets = [] }: Account): KubernetesObject {
  return {
    apiVersion: "v1",
    kind: "ServiceAccount",
    metadata: { name, ...(annotations !== undefined && { annotations }) },
    imagePullSecrets: references(imagePullSecrets),
    secrets: references(secrets),
  };
}

function references(names: readonly string[]): readonly JsonObject[] {
  return names.map((name) => ({ name }));
}

function reduce(object: KubernetesObject | undefined): Record<string, unknown> {
  const { imagePullSecrets, ...spec } = (object?.["spec"] ?? {}) as JsonObject;
  const names = (imagePullSecrets as readonly JsonObject[] | undefined)?.map(({ name }) => name ?? "");
  return { ...spec, ...(names !== undefined && { imagePullSecrets: names }) };
}
