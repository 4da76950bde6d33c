import {
  applyDefaults,
  type JsonObject,
  type KubernetesObject,
  validateCreate,
  validateUpdate,
} from "../../../src/kubernetes/index.ts";
import type { FieldError } from "../../../src/internal/kubernetes/field-error.ts";
import { byOperation, text, type Comparison, type Topic, type Vector } from "../topic.ts";

interface Expected {
  readonly type: string;
  readonly field: string;
  readonly message?: string;
}

/**
 * The operations are parts of what is done to a whole object: each is shown by an object that has nothing else wrong
 * with it, of which only errors below the part's own place count.
 */
export const topic: Topic = byOperation({
  validatePullPolicy(vector) {
    const container = { name: "c", image: "x", imagePullPolicy: text(vector, "policy") };
    const errors = validateCreate(template({ containers: [complete(container)] }));
    return compare(vector, moved(errors, "template.spec.containers[0].imagePullPolicy", "field"));
  },
  validateContainer(vector) {
    const list = text(vector, "list");
    const errors = validateCreate(template(withContainer(list, vector["container"] as JsonObject)));
    return compare(vector, moved(errors, `template.spec.${list}[0]`, `${list}[0]`));
  },
  validatePodOnlyContainer(vector) {
    const list = text(vector, "list");
    const errors = validateCreate(pod(withContainer(list, given(vector))));
    return compare(vector, moved(errors, `spec.${list}[0]`, `${list}[0]`));
  },
  validateContainerUpdate(vector) {
    const list = text(vector, "list").replace(/^spec\./, "");
    const old = pod(withContainer(list, complete({ ...given(vector), image: "old" })));
    const errors = validateUpdate(pod(withContainer(list, given(vector))), old, "");
    return compare(vector, moved(errors, `spec.${list}[0].image`, `spec.${list}[0].image`));
  },
  validateImageVolume(vector) {
    const spec = {
      containers: [complete({ name: "c", image: "x" })],
      volumes: [vector["volume"] as JsonObject],
    };
    const isPod = vector["resourceIsPod"] === true;
    const errors = validateCreate(isPod ? pod(spec) : template(spec));
    return compare(vector, moved(errors, `${isPod ? "spec" : "template.spec"}.volumes`, "field"));
  },
  validateImagePullSecrets(vector) {
    const secrets = (vector["imagePullSecrets"] ?? vector["secrets"] ?? []) as JsonObject[];
    const spec = { containers: [complete({ name: "c", image: "x" })], imagePullSecrets: secrets };
    return compare(vector, moved(validateCreate(pod(spec)), "spec.imagePullSecrets", "field"));
  },
});

/** The case's container, with what a container must have besides what the case is about. */
function given(vector: Vector): JsonObject {
  return complete(vector["container"] as JsonObject);
}

function complete(container: JsonObject): JsonObject {
  return {
    name: "c",
    terminationMessagePolicy: "File",
    ...container,
    imagePullPolicy: container["imagePullPolicy"] ?? "Always",
  };
}

function withContainer(list: string, container: JsonObject): JsonObject {
  const main = complete({ name: "main", image: "x" });
  return list === "containers" ? { containers: [container] } : { containers: [main], [list]: [container] };
}

function pod(spec: JsonObject): KubernetesObject {
  const metadata = { name: "p", namespace: "n", resourceVersion: "1" };
  return { apiVersion: "v1", kind: "Pod", metadata, spec: around(spec) };
}

function template(spec: JsonObject): KubernetesObject {
  const metadata = { name: "p", namespace: "n" };
  return { apiVersion: "v1", kind: "PodTemplate", metadata, template: { spec: around(spec) } };
}

/** Everything of a specification but its containers and volumes, which stay exactly as the case has them. */
function around(spec: JsonObject): JsonObject {
  const defaulted = applyDefaults({ apiVersion: "v1", kind: "Pod", metadata: {}, spec: {} });
  return { ...(defaulted["spec"] as JsonObject), ...spec };
}

function moved(errors: readonly FieldError[], from: string, to: string): readonly Expected[] {
  const own = errors.filter(({ field }) => field.startsWith(from));
  const different = [...new Map(own.map((error) => [error.message, error])).values()];
  const move = (it: string): string => `${to}${it.slice(from.length)}`;
  return different.map(({ type, field, message }) => ({ type, field: move(field), message: move(message) }));
}

function compare(vector: Vector, errors: readonly Expected[]): Comparison {
  const expected = vector["errors"] as readonly Expected[];
  const relevant =
    vector["errorsAmongOthers"] === true
      ? errors.filter((one) => expected.some(({ type, field }) => one.type === type && one.field === field))
      : errors;
  // Not every case says what the message is.
  const actual = relevant.map((one, index) =>
    expected[index]?.message === undefined ? { type: one.type, field: one.field } : one,
  );
  return { actual, expected };
}
