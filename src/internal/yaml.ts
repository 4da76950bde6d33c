import { createRequire } from "node:module";
import type * as Yaml from "yaml";

let loaded: typeof Yaml | undefined;

/** The YAML library, loaded when the first text is read: it is seventy modules, and most commands meet no YAML. */
export function yaml(): typeof Yaml {
  return (loaded ??= createRequire(import.meta.url)("yaml") as typeof Yaml);
}

/**
 * YAML that says the same to every reader: Kubernetes' own goes by YAML 1.1, to which a plain `yes` is true and
 * `2026-01-01` a time, and others go by 1.2.
 */
export function formatYaml(value: unknown): string {
  return yaml().stringify(value, {
    version: "1.1",
    compat: "core",
    lineWidth: 0,
    aliasDuplicateObjects: false,
  });
}
