/** What holds for Jobs and CronJobs. */
import {
  type FieldError,
  invalidField,
  requiredField,
  unsupportedValue,
  unsupportedWord,
} from "../../internal/kubernetes/field-error.ts";
import { goQuote } from "../../internal/go/quote.ts";
import { flagAt, isAbsent, numberAt, objectAt, sameJson, textAt, withMembers } from "../objects/fields.ts";
import type { JsonObject } from "../objects/object.ts";
import { scheduleFault } from "./cron-schedule.ts";
import { printPodSpec } from "./go-shape.ts";
import { selectsLabels, shownSelector, validateLabelSelector } from "./label-selector.ts";
import {
  IMMUTABLE,
  NAMESPACED,
  validateMetadata,
  validateMetadataUpdate,
  validateNonNegative,
} from "./metadata.ts";
import type { Rule, UpdateRule } from "./workload.ts";
import { validateSameSelector, validateSelected, validateTemplate } from "./workload.ts";

const COUNTS = [
  "parallelism",
  "completions",
  "activeDeadlineSeconds",
  "backoffLimit",
  "ttlSecondsAfterFinished",
  "backoffLimitPerIndex",
  "maxFailedIndexes",
];
const MODES = ["NonIndexed", "Indexed"];
const REPLACEMENTS = ["Failed", "TerminatingOrFailed"];
const RESTARTS = ["OnFailure", "Never"];
const CONCURRENCIES = ["Allow", "Forbid", "Replace"];

/** A Job's name is this one's with eleven characters behind it. */
const CRON_NAME_LIMIT = 52;

const IMMUTABLE_MEMBERS = [
  "completionMode",
  "podFailurePolicy",
  "backoffLimitPerIndex",
  "managedBy",
  "successPolicy",
];

export const validateJob: Rule = (job) => [
  ...validateMetadata(objectAt(job, "metadata") ?? {}, NAMESPACED),
  ...validateOwnSelector(job),
  ...validateOwnSpec(objectAt(job, "spec") ?? {}),
];

export const validateJobUpdate: UpdateRule = (job, old) => {
  const [spec, before] = [objectAt(job, "spec") ?? {}, objectAt(old, "spec") ?? {}];
  return [
    ...validateMetadataUpdate(objectAt(job, "metadata") ?? {}, objectAt(old, "metadata") ?? {}),
    ...validateOwnSpec(spec),
    ...validateSame(spec, before, "completions", textAt(spec, "completionMode") === "Indexed"),
    ...validateSameSelector(job, old),
    ...validateSameTemplate(spec, before, notStarted(old)),
    ...IMMUTABLE_MEMBERS.flatMap((name) => validateSame(spec, before, name)),
  ];
};

export const validateCronJob: Rule = (job) => [
  ...validateMetadata(objectAt(job, "metadata") ?? {}, NAMESPACED),
  ...validateCronSpec(objectAt(job, "spec") ?? {}, undefined),
  ...validateCronName(job),
];

export const validateCronJobUpdate: UpdateRule = (job, old) => [
  ...validateMetadataUpdate(objectAt(job, "metadata") ?? {}, objectAt(old, "metadata") ?? {}),
  ...validateCronSpec(objectAt(job, "spec") ?? {}, objectAt(old, "spec") ?? {}),
];

/** What is made for a Job to find its Pods by has to stand, unless its maker chose something else. */
function validateOwnSelector(job: JsonObject): readonly FieldError[] {
  const spec = objectAt(job, "spec");
  const selector = objectAt(spec, "selector");
  if (selector === undefined || flagAt(spec, "manualSelector")) return [];
  const metadata = objectAt(job, "metadata");
  const [uid, name] = [textAt(metadata, "uid"), textAt(metadata, "name")];
  const expected = {
    "controller-uid": uid,
    "job-name": name,
    "batch.kubernetes.io/controller-uid": uid,
    "batch.kubernetes.io/job-name": name,
  };
  const labels = objectAt(objectAt(objectAt(spec, "template"), "metadata"), "labels");
  const errors = Object.entries(expected).flatMap(([label, value]) => {
    const path = `spec.template.metadata.labels[${label}]`;
    const found = labels?.[label];
    if (found === undefined) return [requiredField(path, `must be '${value}'`)];
    return found === value ? [] : [invalidField(path, labels, `must be '${value}'`)];
  });
  return [
    ...(uid === "" ? [requiredField("metadata.uid")] : []),
    ...errors,
    ...(selectsLabels(selector, expected) === false
      ? [invalidField("spec.selector", shownSelector(selector), "`selector` not auto-generated")]
      : []),
  ];
}

function validateOwnSpec(spec: JsonObject): readonly FieldError[] {
  const selector = objectAt(spec, "selector");
  const errors = [
    ...validateJobSpec(spec, "spec"),
    ...(selector === undefined
      ? [requiredField("spec.selector")]
      : validateLabelSelector(selector, "spec.selector")),
  ];
  const selected = selector === undefined ? [] : validateSelected(selector, objectAt(spec, "template") ?? {});
  return [...errors, ...selected];
}

function validateJobSpec(spec: JsonObject, path: string): readonly FieldError[] {
  const template = objectAt(spec, "template") ?? {};
  return [
    ...COUNTS.flatMap((name) => validateNonNegative(numberAt(spec, name) ?? 0, `${path}.${name}`)),
    ...validateWord(spec, "completionMode", MODES, path),
    ...validateIndexed(spec, path),
    ...validateWord(spec, "podReplacementPolicy", REPLACEMENTS, path),
    ...validateTemplate(template, `${path}.template`),
    ...validateEnding(objectAt(template, "spec") ?? {}, `${path}.template.spec.restartPolicy`),
  ];
}

function validateIndexed(spec: JsonObject, path: string): readonly FieldError[] {
  if (textAt(spec, "completionMode") !== "Indexed" || !isAbsent(spec["completions"])) return [];
  return [requiredField(`${path}.completions`, "when completion mode is Indexed")];
}

/** A Pod that always starts again never completes. */
function validateEnding(spec: JsonObject, path: string): readonly FieldError[] {
  const policy = textAt(spec, "restartPolicy");
  if (policy === "" || policy === "Always") {
    const values = RESTARTS.map((one) => goQuote(one)).join(", ");
    return [requiredField(path, `valid values: ${values}`)];
  }
  return RESTARTS.includes(policy) ? [] : [unsupportedWord(path, policy, RESTARTS)];
}

function validateWord(
  spec: JsonObject,
  member: string,
  words: readonly string[],
  path: string,
): readonly FieldError[] {
  const value = spec[member];
  if (typeof value !== "string" || words.includes(value)) return [];
  return [unsupportedWord(`${path}.${member}`, value, words)];
}

function validateSame(
  spec: JsonObject,
  before: JsonObject,
  member: string,
  mutable = false,
): readonly FieldError[] {
  if (mutable || sameJson(spec[member] ?? null, before[member] ?? null)) return [];
  return [invalidField(`spec.${member}`, spec[member] ?? null, IMMUTABLE)];
}

/** Before its first Pod, it may still be decided where a Job's Pods go. */
function validateSameTemplate(
  spec: JsonObject,
  before: JsonObject,
  directed: boolean,
): readonly FieldError[] {
  const [template, old] = [objectAt(spec, "template") ?? {}, objectAt(before, "template") ?? {}];
  const known = objectAt(old, "spec");
  const kept = !directed
    ? template
    : withMembers(template, {
        metadata: old["metadata"],
        spec: withMembers(objectAt(template, "spec") ?? {}, {
          affinity: known?.["affinity"],
          nodeSelector: known?.["nodeSelector"],
          tolerations: known?.["tolerations"],
          schedulingGates: known?.["schedulingGates"],
        }),
      });
  if (sameJson(kept, old)) return [];
  const printed = JSON.parse(printPodSpec(objectAt(kept, "spec") ?? {})) as never;
  const value = { ...(objectAt(kept, "metadata") as object), Spec: printed };
  return [invalidField("spec.template", value, IMMUTABLE)];
}

function notStarted(job: JsonObject): boolean {
  const started = objectAt(job, "status")?.["startTime"];
  return flagAt(objectAt(job, "spec"), "suspend") && isAbsent(started);
}

/** @param old undefined where the CronJob is new */
function validateCronSpec(spec: JsonObject, old: JsonObject | undefined): readonly FieldError[] {
  const concurrency = textAt(spec, "concurrencyPolicy");
  const starting = numberAt(spec, "startingDeadlineSeconds") ?? 0;
  const path = "spec.concurrencyPolicy";
  const sameZone = old !== undefined && sameJson(old["timeZone"] ?? null, spec["timeZone"] ?? null);
  return [
    ...validateSchedule(spec, old),
    ...validateNonNegative(starting, "spec.startingDeadlineSeconds"),
    ...(sameZone ? [] : validateTimeZone(spec["timeZone"])),
    ...(concurrency === "" ? [requiredField(path)] : []),
    ...(concurrency === "" || CONCURRENCIES.includes(concurrency)
      ? []
      : [unsupportedWord(path, concurrency, CONCURRENCIES)]),
    ...validateJobTemplate(objectAt(objectAt(spec, "jobTemplate"), "spec") ?? {}, "spec.jobTemplate.spec"),
    ...["successfulJobsHistoryLimit", "failedJobsHistoryLimit"].flatMap((name) =>
      validateNonNegative(numberAt(spec, name) ?? 0, `spec.${name}`),
    ),
  ];
}

/** Each Job that is made gets a selector of its own. */
function validateJobTemplate(spec: JsonObject, path: string): readonly FieldError[] {
  const selector = objectAt(spec, "selector");
  const why = "`selector` will be auto-generated";
  return [
    ...validateJobSpec(spec, path),
    ...(selector === undefined ? [] : [invalidField(`${path}.selector`, shownSelector(selector), why)]),
    ...(flagAt(spec, "manualSelector")
      ? [unsupportedValue(`${path}.manualSelector`, true, ["nil", "false"])]
      : []),
  ];
}

function validateSchedule(spec: JsonObject, old: JsonObject | undefined): readonly FieldError[] {
  const path = "spec.schedule";
  const schedule = textAt(spec, "schedule");
  if (schedule === "") return [requiredField(path)];
  const fault = scheduleFault(schedule);
  const errors = fault === undefined ? [] : [invalidField(path, schedule, fault)];
  if (!schedule.includes("TZ")) return errors;
  // Who had a zone in the schedule may keep it there.
  const kept = textAt(old, "schedule").includes("TZ");
  if (kept && isAbsent(spec["timeZone"])) return errors;
  const why = kept
    ? "cannot use both timeZone field and TZ or CRON_TZ in schedule"
    : "cannot use TZ or CRON_TZ in schedule, use timeZone field instead";
  return [...errors, invalidField(path, schedule, why)];
}

function validateTimeZone(zone: unknown): readonly FieldError[] {
  if (typeof zone !== "string") return [];
  const refuse = (why: string): readonly FieldError[] => [invalidField("spec.timeZone", zone, why)];
  if (zone === "") return refuse("timeZone must be nil or non-empty string");
  if (zone.toLowerCase() === "local") {
    return refuse("timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones");
  }
  const parts = zone.split("/");
  const named = parts.every((part) => /^(?!-|\.\.?$)[-A-Za-z._0-9+]{1,14}$/.test(part));
  return named && isTimeZone(zone) ? [] : refuse(`unknown time zone ${zone}`);
}

function isTimeZone(name: string): boolean {
  try {
    return new Intl.DateTimeFormat("en", { timeZone: name }).resolvedOptions().timeZone !== "";
  } catch {
    return false;
  }
}

function validateCronName(job: JsonObject): readonly FieldError[] {
  const name = textAt(objectAt(job, "metadata"), "name");
  if (name.length <= CRON_NAME_LIMIT) return [];
  return [invalidField("metadata.name", name, `must be no more than ${CRON_NAME_LIMIT} characters`)];
}
