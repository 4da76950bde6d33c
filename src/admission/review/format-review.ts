/** The answer to an AdmissionReview, as JSON text. */
import type { JsonObject, Status } from "../../kubernetes/index.ts";
import type { AdmissionDecision } from "../admission.ts";
import { REVIEW_API_VERSION, REVIEW_KIND, type ReadReview } from "./read-review.ts";
import { createSharedPatch } from "./shared-patch.ts";

const HEAD = `{"apiVersion":"${REVIEW_API_VERSION}","kind":"${REVIEW_KIND}","response":{"uid":`;

/**
 * A patch only where something changed, and none beside a refusal: the API server takes neither an empty one. Put
 * together piece by piece: what is long, the patch, needs no quoting.
 */
export function formatReview({ uid, request }: ReadReview, decision: AdmissionDecision): string {
  let text = `${HEAD}${JSON.stringify(uid)},"allowed":${decision.allowed}`;
  if (!decision.allowed) text += `,"status":${JSON.stringify(trimStatus(decision.status))}`;
  else if (decision.object !== undefined && request.object !== undefined) {
    const operations = createSharedPatch(request.object, decision.object);
    if (operations.length > 0) text += `,"patchType":"JSONPatch","patch":"${encodePatch(operations)}"`;
  }
  if (decision.warnings.length > 0) text += `,"warnings":${JSON.stringify(decision.warnings)}`;
  return `${text}}}`;
}

/** What stands before and behind the uid of an answer; such as goes for others, too. */
export function cutOutUid(answer: string, uid: string): readonly [string, string] {
  const quoted = JSON.stringify(uid);
  return [answer.slice(0, HEAD.length + 1), answer.slice(HEAD.length + quoted.length - 1)];
}

function encodePatch(operations: readonly JsonObject[]): string {
  return Buffer.from(JSON.stringify(operations)).toString("base64");
}

/** The API server puts words of its own before a refusal's, which say that it is one, and whose. */
function trimStatus(refusal: Status): JsonObject {
  const { metadata, status, message = "", reason, details, code } = refusal;
  const at = message.indexOf(FORBIDDEN);
  const own = reason === "Forbidden" && at > 0 && !message.startsWith("[");
  return {
    metadata,
    status,
    message: own ? message.slice(at + FORBIDDEN.length) : message,
    ...(reason !== undefined && { reason }),
    ...(details !== undefined && { details }),
    ...(code !== undefined && { code }),
  };
}

const FORBIDDEN = " is forbidden: ";
