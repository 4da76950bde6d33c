import { BackOff } from "../../../src/images/index.ts";
import { type Topic } from "../topic.ts";

interface Step {
  readonly op: string;
  readonly seconds?: number;
  readonly eventTime?: string | number;
  readonly value?: string | number;
  readonly as?: string;
  readonly key?: string;
  readonly expect?: unknown;
  readonly expectAtLeast?: number;
  readonly expectAtMost?: number;
}

/** Far from 0, so that a moment that is never set can't pass for one. */
const START = 1_000_000_000_000;

export const topic: Topic = {
  check(vector) {
    const seconds = (name: string): number => (vector[name] as number) * 1000;
    let now = START;
    const expiry = typeof vector["hasExpiredAfter"] !== "number" ? undefined : seconds("hasExpiredAfter");
    const backOff = new BackOff({
      initial: seconds("initial"),
      max: seconds("max"),
      now: () => now,
      hasExpired: expiry === undefined ? undefined : (event, updatedAt) => event - updatedAt >= expiry,
    });
    const remembered = new Map<string, number>();
    const moment = (value: string | number | undefined): number => {
      if (value === undefined || value === "now") return now;
      return typeof value === "number" ? START + value * 1000 : (remembered.get(value) ?? Number.NaN);
    };
    const actual: unknown[] = [];
    const expected: unknown[] = [];
    const steps = vector["steps"] as readonly Step[];
    for (const [index, step] of steps.entries()) {
      const key = step.key ?? "key";
      let answer: unknown;
      if (step.op === "step") now += (step.seconds ?? 0) * 1000;
      else if (step.op === "setTime") now = START + (step.seconds ?? 0) * 1000;
      else if (step.op === "next") backOff.next(key, moment(step.eventTime));
      else if (step.op === "reset") backOff.reset(key);
      else if (step.op === "gc") backOff.collect();
      else if (step.op === "remember") remembered.set(step.as ?? "", moment(step.value));
      else if (step.op === "get") answer = backOff.get(key) / 1000;
      else if (step.op === "entryExists") answer = backOff.has(key);
      else if (step.op === "inBackOffSince") answer = backOff.isWaitingSince(key, moment(step.eventTime));
      else if (step.op === "inBackOffSinceUpdate") answer = backOff.isWaiting(key, moment(step.eventTime));
      else return undefined;
      if (step.expectAtLeast !== undefined || step.expectAtMost !== undefined) {
        const { expectAtLeast: least = answer, expectAtMost: most = answer } = step;
        actual.push([index, Math.min(Math.max(answer as number, least as number), most as number)]);
        expected.push([index, answer]);
      } else if (step.expect !== undefined) {
        actual.push([index, answer]);
        expected.push([index, step.expect]);
      }
    }
    return { actual, expected };
  },
};
