/** Null stands for what is absent, once an object's types are read; so what became null is left out at once. */
import type { Json } from "../objects/object.ts";
import { isList, isObject, memberOf, membersOf } from "./json.ts";

/** Without members that are null, but for those that were null in `old` too. */
export function withoutNewNulls(value: Json, old: Json | undefined): Json {
  if (value === old) return value;
  if (isList(value)) {
    const before = isList(old) ? old : [];
    return value.map((item, at) => withoutNewNulls(item, before[at]));
  }
  if (!isObject(value)) return value;
  const before = isObject(old) ? old : {};
  const members = membersOf(value)
    .filter(([name, member]) => member !== null || memberOf(before, name) === null)
    .map(([name, member]) => [name, withoutNewNulls(member, memberOf(before, name))] as const);
  return Object.fromEntries(members);
}
