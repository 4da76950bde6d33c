import type { Secret } from "../../internal/secret.ts";

/** The configured variables behind the system's own, each as `NAME=value`. The list holds secrets. */
export function mergeEnvironment(
  system: readonly string[],
  configured: readonly { readonly name: string; readonly value: Secret }[],
): readonly string[] {
  return [...system, ...configured.map(({ name, value }) => `${name}=${value.reveal()}`)];
}

/** A list as a process gets it: of a variable that stands there twice, the last counts. */
export function toEnvironment(list: readonly string[]): Readonly<Record<string, string>> {
  const variables = new Map<string, string>();
  for (const variable of list) {
    const equals = variable.indexOf("=");
    if (equals > 0) variables.set(variable.slice(0, equals), variable.slice(equals + 1));
  }
  return Object.fromEntries(variables);
}
