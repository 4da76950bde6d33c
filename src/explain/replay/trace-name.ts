import { ImagesError, parseImageName } from "../../images/index.ts";
import { explainDefaultPolicy } from "../../kubernetes/index.ts";
import { formatReference, type Reference } from "../../reference/index.ts";
import type { NameTrace, PolicyTrace } from "../trace.ts";

/** A name as it is written, and what a node makes of it. */
export function traceName(written: string): { readonly trace: NameTrace; readonly reference?: Reference } {
  let reference: Reference;
  try {
    reference = parseImageName(written);
  } catch (error) {
    if (!(error instanceof ImagesError)) throw error;
    return { trace: { written, tagDefaulted: false, problem: error.message } };
  }
  const { domain, path, tag, digest } = reference;
  const trace: NameTrace = {
    written,
    normalised: formatReference(reference),
    registry: domain,
    repository: path,
    ...(tag !== undefined && { tag }),
    ...(digest !== undefined && { digest }),
    tagDefaulted: digest === undefined && !written.endsWith(`:${tag ?? ""}`),
  };
  return { trace, reference };
}

const RULES = {
  "tag-latest": "the tag is latest, so the default is Always",
  "no-tag": "there is no tag, which means latest, so the default is Always",
  tag: "the tag is not latest, so the default is IfNotPresent",
  digest: "there is a digest, so the default is IfNotPresent",
  "name-unreadable": "the name can't be read, so the default is IfNotPresent",
} as const;

/** Which rule a pull policy comes from. */
export function tracePolicy(facts: {
  readonly image: string;
  /** As it is stored. */
  readonly value: string;
  /** As the manifest has it; empty for nothing. */
  readonly written: string;
  readonly stored: boolean;
}): PolicyTrace {
  const { image, value, written, stored } = facts;
  if (stored) {
    const { policy, because } = explainDefaultPolicy(image);
    const rule =
      policy === value ? `as its default would be: ${RULES[because]}` : "not what its default would be";
    return { value, from: "stored", rule };
  }
  if (written === value) return { value, from: "written", rule: "the manifest says so" };
  if (written === "" && explainDefaultPolicy(image).policy === value) {
    return { value, from: "defaulted", rule: RULES[explainDefaultPolicy(image).because] };
  }
  const before = written === "" ? "nothing" : written;
  return { value, from: "admission", rule: `admission set it; the manifest says ${before}` };
}
