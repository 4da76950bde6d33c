import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parseCronSchedule } from "./cron-schedule.ts";

function next(text: string, from: string, zone?: string): string {
  const time = parseCronSchedule(text, zone).next(Date.parse(from));
  return time === undefined ? "never" : new Date(time).toISOString().replace(":00.000Z", "Z");
}

test("a schedule is due at the first minute that fits all of its fields", () => {
  const cases: readonly (readonly [schedule: string, from: string, due: string])[] = [
    ["* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01Z"],
    ["* * * * *", "2026-01-01T00:00:59.999Z", "2026-01-01T00:01Z"],
    ["*/15 * * * *", "2026-01-01T00:31:00Z", "2026-01-01T00:45Z"],
    ["5/15 * * * *", "2026-01-01T00:31:00Z", "2026-01-01T00:35Z"],
    ["5-20/10 * * * *", "2026-01-01T00:15:00Z", "2026-01-01T01:05Z"],
    ["0 0 1,15 * *", "2026-01-02T00:00:00Z", "2026-01-15T00:00Z"],
    ["30 4 * * mon-FRI", "2026-01-03T00:00:00Z", "2026-01-05T04:30Z"],
    ["0 12 * feb *", "2026-01-03T00:00:00Z", "2026-02-01T12:00Z"],
    ["0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00Z"],
    ["0 0 31 2 *", "2026-01-01T00:00:00Z", "never"],
    ["59 23 31 12 ?", "2026-12-31T23:59:00Z", "2027-12-31T23:59Z"],
    // Both kinds of day restricted: either will do. One of them free: both must fit.
    ["0 0 13 * fri", "2026-01-10T00:00:00Z", "2026-01-13T00:00Z"],
    ["0 0 13 * fri", "2026-01-13T00:00:00Z", "2026-01-16T00:00Z"],
    ["0 0 */2 * fri", "2026-01-02T00:00:00Z", "2026-01-03T00:00Z"],
    ["0 0 */1 * fri", "2026-01-02T00:00:00Z", "2026-01-09T00:00Z"],
    ["0 0 13 * *", "2026-01-13T00:00:00Z", "2026-02-13T00:00Z"],
    ["@hourly", "2026-01-01T00:00:00Z", "2026-01-01T01:00Z"],
    ["@daily", "2026-01-01T00:00:00Z", "2026-01-02T00:00Z"],
    ["@midnight", "2026-01-01T00:00:00Z", "2026-01-02T00:00Z"],
    ["@weekly", "2026-01-01T00:00:00Z", "2026-01-04T00:00Z"],
    ["@monthly", "2026-01-01T00:00:00Z", "2026-02-01T00:00Z"],
    ["@yearly", "2026-01-01T00:00:00Z", "2027-01-01T00:00Z"],
    ["@annually", "2026-01-01T00:00:00Z", "2027-01-01T00:00Z"],
    ["@every 1h30m", "2026-01-01T00:00:00.500Z", "2026-01-01T01:30Z"],
  ];
  for (const [schedule, from, due] of cases) assert.equal(next(schedule, from), due, schedule);
});

test("a zone's own clock counts, through its changes: what is left out is left out, what comes twice is twice", () => {
  const berlin = "Europe/Berlin";
  assert.equal(next("0 9 * * *", "2026-01-01T00:00:00Z", berlin), "2026-01-01T08:00Z");
  assert.equal(next("0 9 * * *", "2026-07-01T00:00:00Z", berlin), "2026-07-01T07:00Z");
  assert.equal(
    next("0 0 1 * *", "2026-06-30T21:59:00Z", berlin),
    "2026-06-30T22:00Z",
    "its first of the month",
  );
  // Clocks go from 2 to 3 on 29 March, and from 3 back to 2 on 25 October.
  assert.equal(next("30 2 * * *", "2026-03-28T12:00:00Z", berlin), "2026-03-30T00:30Z");
  assert.equal(next("30 3 * * *", "2026-03-28T12:00:00Z", berlin), "2026-03-29T01:30Z");
  assert.equal(next("30 2 * * *", "2026-10-24T12:00:00Z", berlin), "2026-10-25T00:30Z");
  assert.equal(next("30 2 * * *", "2026-10-25T00:30:00Z", berlin), "2026-10-25T01:30Z");
  assert.equal(next("30 2 * * *", "2026-10-25T01:30:00Z", berlin), "2026-10-26T01:30Z");
  assert.equal(next("45 23 * * *", "2026-01-01T00:00:00Z", "Asia/Kathmandu"), "2026-01-01T18:00Z");
});

test("what is no schedule is refused with its reason", () => {
  const wrong = [
    "",
    "* * * *",
    "* * * * * *",
    "60 * * * *",
    "* 24 * * *",
    "* * 0 * *",
    "* * * 13 *",
    "* * * * 7",
    "*/0 * * * *",
    "5-1 * * * *",
    "1-2-3 * * * *",
    "1/2/3 * * * *",
    "*-5 * * * *",
    "x * * * *",
    "1,, * * * *",
    "-1 * * * *",
    "@often",
    "@every soon",
    "TZ=UTC * * * * *",
  ];
  for (const text of wrong) assert.throws(() => parseCronSchedule(text), RangeError, text);
  assert.throws(() => parseCronSchedule("* * * * *", "Middle/Earth"), RangeError);
});

test("the next moment is what looking at every minute finds", () => {
  const field = (min: number, max: number): fc.Arbitrary<string> =>
    fc.oneof(
      fc.constant("*"),
      fc.integer({ min, max }).map(String),
      fc.integer({ min: 1, max: 9 }).map((step) => `*/${step}`),
      fc
        .tuple(fc.integer({ min, max }), fc.integer({ min, max }))
        .map(([a, b]) => `${Math.min(a, b)}-${Math.max(a, b)}`),
    );
  const schedules = fc.tuple(field(0, 59), field(0, 23), field(1, 31), fc.constant("*"), field(0, 6));
  const from = fc.integer({ min: Date.UTC(2026, 9, 20), max: Date.UTC(2026, 9, 26) });
  const zone = fc.constantFrom("UTC", "America/New_York", "Europe/Berlin", "Australia/Lord_Howe");
  const property = fc.property(schedules, from, zone, (fields, time, timeZone) => {
    const schedule = parseCronSchedule(fields.join(" "), timeZone);
    const due = schedule.next(time);
    const format = new Intl.DateTimeFormat("en-GB", {
      timeZone,
      hourCycle: "h23",
      weekday: "short",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
    });
    const fits = (at: number): boolean => {
      const parts = new Map(format.formatToParts(at).map(({ type, value }) => [type, value]));
      const weekday = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"].indexOf(parts.get("weekday") ?? "");
      const [minute, hour, day, , week] = fields.map((text, index) => reads(text, index === 2 ? 1 : 0)) as ((
        value: number,
      ) => boolean)[];
      const inMonth = day?.(Number(parts.get("day"))) === true;
      const inWeek = week?.(weekday) === true;
      const free = [fields[2], fields[4]].some((text) => text === "*" || text === "*/1");
      return (
        minute?.(Number(parts.get("minute"))) === true &&
        hour?.(Number(parts.get("hour"))) === true &&
        (free ? inMonth && inWeek : inMonth || inWeek)
      );
    };
    const limit = time + 2 * 86_400_000;
    let expected: number | undefined;
    for (
      let at = (Math.floor(time / 60_000) + 1) * 60_000;
      at < limit && expected === undefined;
      at += 60_000
    ) {
      if (fits(at)) expected = at;
    }
    if (expected !== undefined) assert.equal(due, expected, `${fields.join(" ")} in ${timeZone}`);
    else assert.ok(due === undefined || due >= limit);
  });
  fc.assert(property, { numRuns: 60 });

  function reads(text: string, min: number): (value: number) => boolean {
    const step = /^\*\/(\d+)$/v.exec(text)?.[1];
    if (text === "*") return () => true;
    if (step !== undefined) return (value) => (value - min) % Number(step) === 0;
    const [first = "", last = first] = text.split("-");
    return (value) => value >= Number(first) && value <= Number(last);
  }
});
