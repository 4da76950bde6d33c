/**
 * What the server asks about kinds: how to read them, what they default to, what is wrong with them, how they are
 * patched and who manages which field. The server itself knows storage, verbs and HTTP.
 */
import type { FieldError } from "../internal/kubernetes/field-error.ts";
import type { GroupVersionKind, KubernetesObject, PatchType, ReadPatch } from "../kubernetes/index.ts";

export type FieldValidation = "Strict" | "Warn" | "Ignore";

/** What a body has to be: a resource's own kind, or that of a subresource. */
export interface BodyKind extends GroupVersionKind {
  readonly schema: string;
  readonly message: string;
}

export interface DecodeOptions {
  readonly contentType: string;
  readonly kind: BodyKind;
  readonly fieldValidation: FieldValidation;
}

export interface Decoded {
  readonly object: KubernetesObject;
  readonly warnings: readonly string[];
}

export interface PatchOptions {
  readonly type: PatchType;
  readonly kind: BodyKind;
  readonly fieldValidation: FieldValidation;
}

export interface ManagerOptions {
  readonly manager: string;
  /** Milliseconds since the epoch. */
  readonly now: number;
  readonly subresource: string;
  readonly kind: BodyKind;
}

export interface ApplyOptions extends ManagerOptions {
  /** Takes fields over from other managers instead of refusing. */
  readonly force: boolean;
}

/** All are pure; inputs stay as they are. Refusals are StatusErrors. */
export interface ApiRules {
  decode(body: Uint8Array, options: DecodeOptions): Decoded;
  /** What a client applies: as it was written, since what it leaves out isn't its own. */
  decodeConfiguration(body: Uint8Array, options: DecodeOptions): Decoded;
  applyDefaults(object: KubernetesObject): KubernetesObject;
  prepareForCreate(object: KubernetesObject): KubernetesObject;
  prepareForUpdate(object: KubernetesObject, old: KubernetesObject, subresource: string): KubernetesObject;
  validateCreate(object: KubernetesObject): readonly FieldError[];
  validateUpdate(object: KubernetesObject, old: KubernetesObject, subresource: string): readonly FieldError[];
  warningsFor(object: KubernetesObject, old?: KubernetesObject): readonly string[];
  readPatch(body: Uint8Array, type: PatchType, fieldValidation: FieldValidation): ReadPatch;
  /** Applies a patch and reads the outcome as its kind. */
  applyPatch(object: KubernetesObject, patch: ReadPatch, options: PatchOptions): Decoded;
  /** Server-side apply; `live` is absent where the object is to be created. */
  applyConfiguration(
    live: KubernetesObject | undefined,
    applied: KubernetesObject,
    options: ApplyOptions,
  ): KubernetesObject;
  /** `metadata.managedFields` of `object` after a change of `live` by hand. */
  trackManagedFields(
    live: KubernetesObject | undefined,
    object: KubernetesObject,
    options: ManagerOptions,
  ): KubernetesObject;
  /** The very `live` where `object` differs from it in nothing but the times of its managers. */
  ignoreTimestampsAlone(live: KubernetesObject, object: KubernetesObject): KubernetesObject;
  parseLabelSelector(text: string): (labels: Readonly<Record<string, string>>) => boolean;
  parseFieldSelector(text: string, kind: GroupVersionKind): (object: KubernetesObject) => boolean;
}
