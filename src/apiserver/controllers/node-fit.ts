/** Whether a Pod may run on a Node, as far as labels, taints and closed doors say. */
import { type JsonObject, type KubernetesObject, matchesLabels } from "../../kubernetes/index.ts";
import { isDeleting, listOf, member, nameOf, specOf, textOf } from "./objects.ts";

/** The start of the reason in the scheduler's words, which a count comes before; `undefined` when it fits. */
export type Misfit =
  | "node(s) were unschedulable"
  | "node(s) had untolerated taint(s)"
  | "node(s) didn't match Pod's node affinity/selector";

/** @param podSpec of a Pod, or of a template */
export function findMisfit(node: KubernetesObject, podSpec: JsonObject): Misfit | undefined {
  const tolerations = listOf(podSpec, "tolerations");
  if (
    isDeleting(node) ||
    (specOf(node)["unschedulable"] === true && !tolerates(tolerations, UNSCHEDULABLE))
  ) {
    return "node(s) were unschedulable";
  }
  const taints = listOf(specOf(node), "taints").filter(
    (taint) => textOf(taint, "effect") !== "PreferNoSchedule",
  );
  if (!taints.every((taint) => tolerates(tolerations, taint))) return "node(s) had untolerated taint(s)";
  return matchesNode(node, podSpec) ? undefined : "node(s) didn't match Pod's node affinity/selector";
}

const UNSCHEDULABLE: JsonObject = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

function tolerates(tolerations: readonly JsonObject[], taint: JsonObject): boolean {
  return tolerations.some((toleration) => {
    const effect = textOf(toleration, "effect");
    const key = textOf(toleration, "key");
    if (effect !== undefined && effect !== textOf(taint, "effect")) return false;
    if (key !== undefined && key !== textOf(taint, "key")) return false;
    const exists = textOf(toleration, "operator") === "Exists";
    // Without a key, only "whatever it is" makes sense.
    return (
      exists || (key !== undefined && (textOf(toleration, "value") ?? "") === (textOf(taint, "value") ?? ""))
    );
  });
}

function matchesNode(node: KubernetesObject, podSpec: JsonObject): boolean {
  const labels = node.metadata.labels ?? {};
  const selector = Object.entries(member(podSpec, "nodeSelector"));
  if (!selector.every(([name, value]) => labels[name] === value)) return false;
  const affinity = member(member(podSpec, "affinity"), "nodeAffinity");
  const required = affinity["requiredDuringSchedulingIgnoredDuringExecution"];
  if (required === undefined) return true;
  const terms = listOf(
    member(affinity, "requiredDuringSchedulingIgnoredDuringExecution"),
    "nodeSelectorTerms",
  );
  return terms.some((term) => {
    const expressions = listOf(term, "matchExpressions");
    const fields = listOf(term, "matchFields");
    // A term without requirements matches nothing, rather than everything.
    if (expressions.length + fields.length === 0) return false;
    return (
      expressions.every((one) => meets(one, labels[textOf(one, "key") ?? ""])) &&
      fields.every((one) => textOf(one, "key") === "metadata.name" && meets(one, nameOf(node)))
    );
  });
}

const OPERATORS = {
  In: "in",
  NotIn: "notin",
  Exists: "exists",
  DoesNotExist: "!",
  Gt: "gt",
  Lt: "lt",
} as const;

/** @param value of the label or field that the requirement names */
function meets(requirement: JsonObject, value: string | undefined): boolean {
  const word = textOf(requirement, "operator") ?? "";
  if (!Object.hasOwn(OPERATORS, word)) return false;
  const operator = OPERATORS[word as keyof typeof OPERATORS];
  const given = Array.isArray(requirement["values"]) ? (requirement["values"] as readonly unknown[]) : [];
  const values = given.filter((one) => typeof one === "string");
  const requirements = [{ key: "key", operator, values }];
  return matchesLabels({ requirements }, value === undefined ? {} : { key: value });
}
