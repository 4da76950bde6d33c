/** What is said to those whose apply would take fields from others. */
import { compareBytes } from "../../internal/go/utf8.ts";
import { failure, type StatusCause, type StatusError } from "../objects/status.ts";
import { formatFieldPath } from "./field-path.ts";
import { type FieldSet, pathsOf } from "./field-set.ts";
import { describeManager, type Managed } from "./managed-fields.ts";

/** @param conflicts the fields by the keys of those who own them */
export function conflictError(conflicts: ReadonlyMap<string, FieldSet>, managed: Managed): StatusError {
  const causes: StatusCause[] = [];
  const lines: string[] = [];
  for (const [key, fields] of [...conflicts].toSorted(([a], [b]) => compareBytes(a, b))) {
    const entry = managed.get(key);
    const owner = entry === undefined ? key : describeManager(entry);
    lines.push(`conflicts with ${owner}:`);
    for (const steps of pathsOf(fields)) {
      const field = formatFieldPath(steps);
      causes.push({ reason: "FieldManagerConflict", message: `conflict with ${owner}`, field });
      lines.push(`- ${field}`);
    }
  }
  const [only] = causes;
  const text =
    only !== undefined && causes.length === 1
      ? `1 conflict: ${only.message}: ${only.field}`
      : `${causes.length} conflicts: ${lines.join("\n")}`;
  return failure("Conflict", `Apply failed with ${text}`, { causes });
}
