/**
 * How a vector file meets the code: `topics/<file's stem>.ts` exports a `topic` that knows the file's operations and
 * calls the rooms through their doors.
 */
import { DrayError } from "../../src/errors.ts";

/** One case of a file, as it stands there. */
export interface Vector {
  readonly id: string;
  readonly [member: string]: unknown;
}

/** What came out beside what should have. Compared deeply, so both sides have the same members. */
export interface Comparison {
  readonly actual: unknown;
  readonly expected: unknown;
}

/** `undefined` for a case that isn't covered yet. Throwing fails the case. */
export type Check = (
  vector: Vector,
  fixtures: unknown,
) => Comparison | undefined | Promise<Comparison | undefined>;

export interface Topic {
  readonly check: Check;
}

/** A topic whose cases name their operation, as `op` or `operation`. Operations that aren't listed aren't covered. */
export function byOperation(operations: Readonly<Record<string, Check>>): Topic {
  return {
    check(vector, fixtures) {
      const operation = vector["op"] ?? vector["operation"];
      if (typeof operation !== "string" || !Object.hasOwn(operations, operation)) return undefined;
      return operations[operation]?.(vector, fixtures);
    },
  };
}

/** A member that must be a text. */
export function text(vector: Vector, name: string): string {
  const value = vector[name];
  if (typeof value === "string") return value;
  throw new TypeError(`${vector.id}: "${name}" is not a string`);
}

/** A member that is a list; an absent one and null are empty, as in Go. */
export function list<T>(from: Readonly<Record<string, unknown>>, name: string): readonly T[] {
  const value = from[name] ?? [];
  if (Array.isArray(value)) return value as readonly T[];
  throw new TypeError(`"${name}" is not a list`);
}

/** Whether a case turns a feature gate on or off; `undefined` when it doesn't mention it. */
export function gate(vector: Vector, name: string): boolean | undefined {
  return (vector["featureGates"] as Readonly<Record<string, boolean>> | null | undefined)?.[name];
}

/** A value without members that are null, empty texts or empty lists: to Go, those aren't there either. */
export function withoutEmpty(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutEmpty);
  if (typeof value !== "object" || value === null) return value;
  const members = Object.entries(value).map(([name, member]) => [name, withoutEmpty(member)] as const);
  return Object.fromEntries(members.filter(([, member]) => !isEmpty(member)));
}

function isEmpty(value: unknown): boolean {
  return (
    value === undefined || value === null || value === "" || (Array.isArray(value) && value.length === 0)
  );
}

/** Those members of `expected` that `names` lists and that are there, for comparing with as many actual ones. */
export function pick(
  from: Readonly<Record<string, unknown>>,
  names: Iterable<string>,
): Record<string, unknown> {
  const picked: Record<string, unknown> = {};
  for (const name of names) if (Object.hasOwn(from, name)) picked[name] = from[name];
  return picked;
}

/** Runs `act`; a deliberate error becomes the vectors' word for it: `NAME_EMPTY` is `{ error: "name-empty" }`. */
export function orError<T>(act: () => T): T | { readonly error: string } {
  try {
    return act();
  } catch (error) {
    if (error instanceof DrayError) return { error: error.code.toLowerCase().replaceAll("_", "-") };
    throw error;
  }
}

/** Whether `act` succeeds; only deliberate errors count as a failure. */
export function succeeds(act: () => unknown): boolean {
  try {
    act();
    return true;
  } catch (error) {
    if (error instanceof DrayError) return false;
    throw error;
  }
}
