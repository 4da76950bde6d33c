import { createRequire } from "node:module";
import type * as Yaml from "yaml";

let loaded: typeof Yaml | undefined;

/** The YAML library, loaded when the first text is read: it is seventy modules, and most commands meet no YAML. */
export function yaml(): typeof Yaml {
  return (loaded ??= createRequire(import.meta.url)("yaml") as typeof Yaml);
}

/** What readers of YAML 1.1 take for the end of a line, for the beginning of the text, or for no text at all. */
// eslint-disable-next-line no-control-regex -- they are what is looked for
const STRANGE = /[\u007f-\u009f\u2028\u2029\ufeff\ufffe\uffff]/;

/**
 * YAML that says the same to every reader: Kubernetes' own goes by YAML 1.1, to which a plain `yes` is true and
 * `2026-01-01` a time, and others go by 1.2.
 */
export function formatYaml(value: unknown): string {
  const { Document, visit } = yaml();
  const document = new Document(value, { version: "1.1", compat: "core", aliasDuplicateObjects: false });
  const text = document.toString({ lineWidth: 0 });
  if (!STRANGE.test(text)) return text;
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value === "string" && STRANGE.test(node.value)) node.type = "QUOTE_DOUBLE";
    },
  });
  // They stand within quotes now, all of them.
  return document.toString({ lineWidth: 0 }).replace(new RegExp(STRANGE, "g"), (character) => {
    return `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}
