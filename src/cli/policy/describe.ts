/** A judgement in lines for people. */
import type { Change, JudgedImage } from "./judge.ts";
import type { Judged } from "./run-policy.ts";

const KINDS: Readonly<Record<JudgedImage["slot"]["list"], string>> = {
  initContainers: "init container",
  containers: "container",
  ephemeralContainers: "ephemeral container",
  volumes: "image volume",
};

export function describeJudgement(judged: Judged): readonly string[] {
  const { file, line, kind, namespace, name, allowed, refusals, warnings, pullSecrets } = judged;
  return [
    `${file}:${line} ${kind} ${namespace}/${name}: ${allowed ? "admitted" : "refused"}`,
    ...refusals.map(
      ({ field, message }) =>
        `  refused: ${field === "" || message.includes(field) ? "" : `${field}: `}${message}`,
    ),
    ...warnings.map((warning) => `  warning: ${warning}`),
    ...(pullSecrets.length > 0 ? [`  imagePullSecrets: ${pullSecrets.join(", ")} (ServiceAccount)`] : []),
    ...judged.images.flatMap(describeImage),
  ];
}

function describeImage({ slot, image, becomes, policy }: JudgedImage): readonly string[] {
  const member = slot.list === "volumes" ? "pullPolicy" : "imagePullPolicy";
  return [
    `  ${KINDS[slot.list]} ${slot.name}: ${image}`,
    ...(becomes === undefined ? [] : [describeChange("image", becomes)]),
    ...(policy === undefined ? [] : [describeChange(member, policy)]),
  ];
}

function describeChange(member: string, { before, after, by }: Change): string {
  const from = before === undefined ? "" : `${before} → `;
  return `    ${member}: ${from}${after} (${by})`;
}
