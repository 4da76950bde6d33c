/** JSON as it comes from recordings and servers. */

export type Json = null | boolean | number | string | readonly Json[] | JsonObject;

export interface JsonObject {
  readonly [member: string]: Json | undefined;
}

export function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

export function member(value: Json | undefined, ...path: readonly string[]): Json | undefined {
  let at: Json | undefined = value;
  for (const name of path) at = isRecord(at) ? (at as JsonObject)[name] : undefined;
  return at;
}

export function list(value: Json | undefined): readonly JsonObject[] {
  return Array.isArray(value) ? (value as readonly JsonObject[]) : [];
}

/** Every difference between two values, as `path: one ≠ other`. */
export function differences(expected: Json | undefined, actual: Json | undefined, path = ""): string[] {
  if (isRecord(expected) && isRecord(actual)) {
    const names = [...new Set([...Object.keys(expected), ...Object.keys(actual)])].toSorted();
    return names.flatMap((name) =>
      differences(
        (expected as JsonObject)[name],
        (actual as JsonObject)[name],
        path === "" ? name : `${path}.${name}`,
      ),
    );
  }
  if (Array.isArray(expected) && Array.isArray(actual)) {
    const found =
      expected.length === actual.length ? [] : [`${path}: ${expected.length} ≠ ${actual.length} items`];
    for (const [index, item] of (expected as readonly Json[]).entries()) {
      if (index < actual.length) {
        found.push(...differences(item, (actual as readonly Json[])[index], `${path}[${index}]`));
      }
    }
    return found;
  }
  if (JSON.stringify(expected) === JSON.stringify(actual)) return [];
  return [`${path}: ${show(expected)} ≠ ${show(actual)}`];
}

function show(value: Json | undefined): string {
  const text = JSON.stringify(value) ?? "nothing";
  return text.length <= 300 ? text : `${text.slice(0, 300)}…`;
}
