/** What pinning does about which registry. */
import { type ImagePattern, parseImagePattern } from "../image-pattern.ts";
import type { Reference } from "../../reference/index.ts";

/**
 * When a digest can't be had:
 *
 * - `refuse`: the request is refused
 * - `last-known`: the digest of before counts where the registry can't be asked; without one, the request is refused
 * - `admit`: the image goes on as it is, with a warning
 */
export const PIN_FAILURES = ["refuse", "last-known", "admit"] as const;

export type PinFailure = (typeof PIN_FAILURES)[number];

export interface PinRule {
  /** As in `parseImagePattern`. */
  readonly images: string;
  /** Whether they are pinned at all; true by default. */
  readonly pin?: boolean | undefined;
  readonly onFailure?: PinFailure | undefined;
}

export interface PinSettings {
  readonly pin: boolean;
  readonly onFailure: PinFailure;
}

/**
 * The first rule that matches decides.
 *
 * @throws AdmissionError
 */
export function compilePinRules(
  rules: readonly PinRule[],
  fallback: PinFailure,
): (reference: Pick<Reference, "domain" | "path">) => PinSettings {
  const compiled = rules.map((rule): { readonly pattern: ImagePattern } & PinSettings => ({
    pattern: parseImagePattern(rule.images),
    pin: rule.pin ?? true,
    onFailure: rule.onFailure ?? fallback,
  }));
  const otherwise = { pin: true, onFailure: fallback };
  return (reference) => compiled.find(({ pattern }) => pattern.matches(reference)) ?? otherwise;
}
