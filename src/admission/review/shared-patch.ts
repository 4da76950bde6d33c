import { createJsonPatch, type Json, type JsonObject } from "../../kubernetes/index.ts";
import { isObject } from "../json.ts";

/**
 * The JSON Patch between an object and one that was made of it by copying. What both share isn't looked at, so that
 * one changed image in a large object costs little.
 */
export function createSharedPatch(before: Json, after: Json): readonly JsonObject[] {
  const operations: JsonObject[] = [];
  compare(before, after, { path: "", operations });
  return operations;
}

interface Place {
  readonly path: string;
  readonly operations: JsonObject[];
}

function compare(before: Json, after: Json, place: Place): void {
  const { path, operations } = place;
  if (before === after) return;
  if (isObject(before) && isObject(after)) compareObjects(before, after, place);
  else if (!isList(before) || !isList(after)) operations.push({ op: "replace", path, value: after });
  else if (before.length === after.length) {
    for (let index = 0; index < before.length; index++) {
      compare(before[index] as Json, after[index] as Json, below(place, index));
    }
  } else {
    // Which items came and went takes a closer look.
    for (const one of createJsonPatch(before, after)) operations.push({ ...one, path: path + one.path });
  }
}

function compareObjects(before: JsonObject, after: JsonObject, place: Place): void {
  const { path, operations } = place;
  const [names, newNames] = [Object.keys(before), Object.keys(after)];
  // A copy has the same members in the same order, and new ones behind them.
  const common = names.findIndex((name, index) => name !== newNames[index] || after[name] === undefined);
  const same = common === -1 ? names.length : common;
  for (let index = same; index < names.length; index++) {
    const name = names[index] as string;
    if (before[name] !== undefined && !has(after, name)) {
      operations.push({ op: "remove", path: `${path}/${escape(name)}` });
    }
  }
  for (let index = 0; index < newNames.length; index++) {
    const name = newNames[index] as string;
    const value = after[name];
    if (value === undefined) continue;
    const old = index < same || Object.hasOwn(before, name) ? before[name] : undefined;
    if (old === undefined) operations.push({ op: "add", path: `${path}/${escape(name)}`, value });
    else if (old !== value) compare(old, value, below(place, name));
  }
}

function has(object: JsonObject, name: string): boolean {
  return Object.hasOwn(object, name) && object[name] !== undefined;
}

function isList(value: Json): value is readonly Json[] {
  return Array.isArray(value);
}

function below({ path, operations }: Place, member: string | number): Place {
  return { path: `${path}/${typeof member === "number" ? member : escape(member)}`, operations };
}

function escape(member: string): string {
  return /[~/]/.test(member) ? member.replaceAll("~", "~0").replaceAll("/", "~1") : member;
}
