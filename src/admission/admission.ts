/** What is asked at the API server's door, and what is answered: values, whoever asks. */
import type {
  GroupVersionKind,
  GroupVersionResource,
  KubernetesObject,
  Status,
} from "../kubernetes/index.ts";

export type AdmissionOperation = "CREATE" | "UPDATE" | "DELETE" | "CONNECT";

/** One object on its way into the API, after decoding and defaulting. */
export interface AdmissionRequest {
  readonly operation: AdmissionOperation;
  readonly resource: GroupVersionResource;
  readonly kind: GroupVersionKind;
  /** Empty for the object itself. */
  readonly subresource: string;
  /** Empty where the name is still to be generated. */
  readonly name: string;
  readonly namespace: string;
  readonly object?: KubernetesObject;
  /** What is stored now; for UPDATE and DELETE. */
  readonly oldObject?: KubernetesObject;
  /** Then nothing outside may change on account of this request. */
  readonly dryRun: boolean;
  readonly user: AdmissionUser;
}

export interface AdmissionUser {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
}

/** Why the chain did what it did; one entry for each rule that changed, warned about or refused something. */
export interface AdmissionReason {
  /** Such as `AlwaysPullImages`. */
  readonly plugin: string;
  /** JSONPath-like place in the object, empty where it's about the whole. */
  readonly field: string;
  readonly message: string;
}

export type AdmissionDecision = AdmissionGranted | AdmissionRefused;

export interface AdmissionGranted {
  readonly allowed: true;
  /** The object to go on with; the very one given where nothing was changed. Absent on DELETE. */
  readonly object?: KubernetesObject;
  readonly warnings: readonly string[];
  readonly reasons: readonly AdmissionReason[];
}

export interface AdmissionRefused {
  readonly allowed: false;
  readonly status: Status;
  readonly warnings: readonly string[];
  readonly reasons: readonly AdmissionReason[];
}

/**
 * One step of the chain. All `admit`s run in order, each seeing what those before it made of the object; the object
 * is then defaulted again and validated by the API server; last, all `validate`s run and may only refuse.
 */
export interface AdmissionPlugin {
  /** As in `--enable-admission-plugins`. */
  readonly name: string;
  admit?(
    request: AdmissionRequest,
    options: AdmissionOptions,
  ): AdmissionDecision | Promise<AdmissionDecision>;
  validate?(
    request: AdmissionRequest,
    options: AdmissionOptions,
  ): AdmissionDecision | Promise<AdmissionDecision>;
}

export interface AdmissionOptions {
  /** Aborted when nobody waits for the decision any more. */
  readonly signal?: AbortSignal | undefined;
  /** Aborted when somebody does, and not for much longer: who waits for others decides with what is known by then. */
  readonly deadline?: AbortSignal | undefined;
}
