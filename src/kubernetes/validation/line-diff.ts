/**
 * Differences between two texts, line by line, in the unified form. Which lines count as the same is decided as
 * Python's `difflib` does (and the Go library made after it), since other ways find other, equally right differences:
 * the longest common run first, then what is left and right of it, where runs don't begin with lines that a long
 * text has all too often.
 */

interface Run {
  readonly a: number;
  readonly b: number;
  readonly size: number;
}

interface Change {
  readonly same: boolean;
  readonly a: readonly [from: number, to: number];
  readonly b: readonly [from: number, to: number];
}

const CONTEXT = 3;

/** From this many lines on, a line that is more than every hundredth begins no run. */
const LONG = 200;

/** Hunks without file names, each line ended; empty where nothing differs. */
export function unifiedDiff(before: string, after: string): string {
  const a = before.split("\n");
  const b = after.split("\n");
  return hunksOf(changesOf(a, b))
    .map((hunk) => formatHunk(hunk, a, b))
    .join("");
}

function formatHunk(hunk: readonly Change[], a: readonly string[], b: readonly string[]): string {
  const first = hunk[0];
  const last = hunk.at(-1);
  if (first === undefined || last === undefined) return "";
  const lines = [`@@ -${range(first.a[0], last.a[1])} +${range(first.b[0], last.b[1])} @@`];
  for (const { same, a: left, b: right } of hunk) {
    if (same) lines.push(...a.slice(...left).map((line) => ` ${line}`));
    else {
      lines.push(...a.slice(...left).map((line) => `-${line}`));
      lines.push(...b.slice(...right).map((line) => `+${line}`));
    }
  }
  return lines.map((line) => `${line}\n`).join("");
}

function range(from: number, to: number): string {
  const length = to - from;
  if (length === 1) return `${from + 1}`;
  return `${length === 0 ? from : from + 1},${length}`;
}

/** Changes with a few lines around them; what lies far apart stands apart. */
function hunksOf(changes: readonly Change[]): readonly (readonly Change[])[] {
  if (changes.every(({ same }) => same)) return [];
  const hunks: Change[][] = [];
  let hunk: Change[] = [];
  for (const [index, change] of changes.entries()) {
    if (!change.same) {
      hunk.push(change);
      continue;
    }
    const size = change.a[1] - change.a[0];
    if (index > 0 && index < changes.length - 1 && size <= 2 * CONTEXT) {
      hunk.push(change);
      continue;
    }
    if (index > 0) {
      hunk.push(shorten(change, 0, CONTEXT));
      hunks.push(hunk);
    }
    hunk = index < changes.length - 1 ? [shorten(change, size - CONTEXT, size)] : [];
  }
  if (hunk.some(({ same }) => !same)) hunks.push(hunk);
  return hunks;
}

function shorten(change: Change, from: number, to: number): Change {
  const size = change.a[1] - change.a[0];
  const start = Math.max(0, from);
  const end = Math.min(size, to);
  const cut = ([at]: readonly [number, number]): [number, number] => [at + start, at + end];
  return { same: true, a: cut(change.a), b: cut(change.b) };
}

function changesOf(a: readonly string[], b: readonly string[]): readonly Change[] {
  const changes: Change[] = [];
  let [i, j] = [0, 0];
  for (const run of [...runsOf(a, b), { a: a.length, b: b.length, size: 0 }]) {
    if (i < run.a || j < run.b) changes.push({ same: false, a: [i, run.a], b: [j, run.b] });
    [i, j] = [run.a + run.size, run.b + run.size];
    if (run.size > 0) changes.push({ same: true, a: [run.a, i], b: [run.b, j] });
  }
  return changes;
}

/** Common runs from first to last; those that touch are one. */
function runsOf(a: readonly string[], b: readonly string[]): readonly Run[] {
  const places = placesOf(b);
  const found: Run[] = [];
  const open: (readonly [number, number, number, number])[] = [[0, a.length, 0, b.length]];
  for (let part = open.pop(); part !== undefined; part = open.pop()) {
    const run = longestRun(a, b, places, part);
    if (run.size === 0) continue;
    const [alo, ahi, blo, bhi] = part;
    found.push(run);
    open.push([alo, run.a, blo, run.b], [run.a + run.size, ahi, run.b + run.size, bhi]);
  }
  const runs: Run[] = [];
  for (const run of found.toSorted((left, right) => left.a - right.a)) {
    const last = runs.at(-1);
    if (last !== undefined && last.a + last.size === run.a && last.b + last.size === run.b) {
      runs[runs.length - 1] = { ...last, size: last.size + run.size };
    } else runs.push(run);
  }
  return runs;
}

function placesOf(lines: readonly string[]): ReadonlyMap<string, readonly number[]> {
  const places = new Map<string, number[]>();
  for (const [index, line] of lines.entries()) {
    const known = places.get(line);
    if (known === undefined) places.set(line, [index]);
    else known.push(index);
  }
  if (lines.length < LONG) return places;
  const often = Math.floor(lines.length / 100) + 1;
  return new Map([...places].filter(([, at]) => at.length <= often));
}

function longestRun(
  a: readonly string[],
  b: readonly string[],
  places: ReadonlyMap<string, readonly number[]>,
  [alo, ahi, blo, bhi]: readonly [number, number, number, number],
): Run {
  let best: Run = { a: alo, b: blo, size: 0 };
  let lengths = new Map<number, number>();
  for (let i = alo; i < ahi; i++) {
    const next = new Map<number, number>();
    for (const j of places.get(a[i] ?? "") ?? []) {
      if (j < blo) continue;
      if (j >= bhi) break;
      const size = (lengths.get(j - 1) ?? 0) + 1;
      next.set(j, size);
      if (size > best.size) best = { a: i - size + 1, b: j - size + 1, size };
    }
    lengths = next;
  }
  return stretch(a, b, best, [alo, ahi, blo, bhi]);
}

/** Lines that begin no run may still continue one. */
function stretch(
  a: readonly string[],
  b: readonly string[],
  run: Run,
  [alo, ahi, blo, bhi]: readonly [number, number, number, number],
): Run {
  let { a: i, b: j, size } = run;
  while (i > alo && j > blo && a[i - 1] === b[j - 1]) [i, j, size] = [i - 1, j - 1, size + 1];
  while (i + size < ahi && j + size < bhi && a[i + size] === b[j + size]) size++;
  return { a: i, b: j, size };
}
