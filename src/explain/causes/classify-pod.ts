/** What is the matter with a Pod as a whole, before any of its images. */
import type { KubernetesObject } from "../../kubernetes/index.ts";
import type { Finding, PodTrace } from "../trace.ts";
import { lookAt, shell } from "./advice.ts";
import { finding, orderFindings } from "./finding.ts";

export function classifyPod(
  trace: PodTrace,
  facts: { readonly pod: KubernetesObject; readonly assigned: string },
): readonly Finding[] {
  return orderFindings([...door(trace), ...node(trace), ...scheduling(trace, facts.assigned)]);
}

function door({ admission, account, subject }: PodTrace): readonly Finding[] {
  const { state, errors } = admission;
  const what = `${subject.kind} ${subject.namespace}/${subject.name}`;
  // What breaks a rule of the schema has a field; a refusal has none.
  const faults = errors.filter(({ field }) => field !== "" || state === "invalid");
  const invalid = faults.length === 0 ? [] : [ofFaults(faults, what)];
  if (state !== "refused") return invalid;
  if (account.state === "missing") return [ofAccount(account.name, subject), ...invalid];
  const why = errors.filter((error) => !faults.includes(error)).map(({ message }) => message);
  return [
    finding("ADMISSION_REFUSED", "failure", `The API server would refuse ${what}: ${why.join("; ")}`),
    ...invalid,
  ];
}

function ofFaults(faults: PodTrace["admission"]["errors"], what: string): Finding {
  const messages = faults.map(({ message }) => message);
  return finding(
    "POD_INVALID",
    "failure",
    `The API server would refuse ${what}: ${messages.join("; ")}`,
    faults.map(({ field, message }) => ({
      text: `Change ${message.startsWith(field) ? message : `${field}: ${message}`}`,
    })),
  );
}

function ofAccount(name: string, { namespace }: PodTrace["subject"]): Finding {
  const summary = `There is no ServiceAccount ${namespace}/${name}`;
  const command = `kubectl create serviceaccount ${shell(name)} -n ${shell(namespace)}`;
  return finding("SERVICE_ACCOUNT_MISSING", "failure", summary, [{ text: "Create it", command }]);
}

function node({ node: { name, troubles } }: PodTrace): readonly Finding[] {
  const called = name === undefined ? "The node" : `Node ${name}`;
  const describe = `kubectl describe node ${shell(name ?? "NODE")}`;
  return troubles.flatMap(({ type, message }) => {
    const said = message === "" ? type : message;
    if (type === "DiskPressure") {
      const free = `kubectl get --raw /api/v1/nodes/${shell(name ?? "NODE")}/proxy/stats/summary`;
      return [
        finding("DISK_PRESSURE", "risk", `${called} is short of disk: ${said}`, [
          lookAt("See the node's conditions", describe),
          lookAt("See what fills its disk", free),
        ]),
      ];
    }
    if (type !== "Ready") return [];
    return [
      finding("NODE_NOT_READY", "risk", `${called} isn't ready: ${said}`, [
        lookAt("See the node's conditions", describe),
      ]),
    ];
  });
}

function scheduling({ subject, conditions = [] }: PodTrace, assigned: string): readonly Finding[] {
  if (!subject.stored || subject.kind !== "Pod" || assigned !== "") return [];
  const { namespace, name } = subject;
  const reason = conditions.find(
    ({ type, status }) => type === "PodScheduled" && status === "False",
  )?.message;
  return [
    finding(
      "POD_NOT_ASSIGNED",
      "note",
      `Pod ${namespace}/${name} has no node yet, so nobody has tried to pull${reason === undefined ? "" : `; the scheduler says: ${reason}`}`,
      [lookAt("See the scheduler's reason", `kubectl describe pod ${shell(name)} -n ${shell(namespace)}`)],
    ),
  ];
}
