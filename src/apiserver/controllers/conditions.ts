import type { JsonObject } from "../../kubernetes/index.ts";
import { formatTime } from "../../kubernetes/index.ts";
import { listOf } from "./objects.ts";

export interface ConditionText {
  readonly type: string;
  readonly status: "True" | "False" | "Unknown";
  readonly reason: string;
  readonly message: string;
}

export interface ConditionOptions {
  readonly now: number;
  /** Whether the kind's conditions say when they were last written, too. */
  readonly updateTime?: boolean;
  /** Written anew although status and reason stay: something moved on. */
  readonly touch?: boolean;
}

/** Conditions with this one; unchanged when it says what was said before. What changed stands last. */
export function setCondition(
  conditions: readonly JsonObject[],
  text: ConditionText,
  options: ConditionOptions,
): readonly JsonObject[] {
  const known = conditions.find(({ type }) => type === text.type);
  const same = known?.["status"] === text.status;
  if (same && known["reason"] === text.reason && options.touch !== true) return conditions;
  const now = formatTime(options.now);
  const { type, status, reason, message } = text;
  const condition = {
    type,
    status,
    ...(options.updateTime === true && { lastUpdateTime: now }),
    lastTransitionTime: same ? (known["lastTransitionTime"] ?? now) : now,
    reason,
    message,
  };
  return [...dropCondition(conditions, type), condition];
}

export function dropCondition(conditions: readonly JsonObject[], type: string): readonly JsonObject[] {
  return conditions.filter((condition) => condition["type"] !== type);
}

export function conditionsIn(status: JsonObject): readonly JsonObject[] {
  return listOf(status, "conditions");
}
