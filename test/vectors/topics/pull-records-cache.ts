import {
  CachedPullRecords,
  CachedShelf,
  type ImagePulledRecord,
  type ImagePullIntent,
  type Listing,
  METRICS,
  type PullRecords,
  type RecordShelf,
} from "../../../src/images/index.ts";
import { FilePullRecords } from "../../../src/images/index.ts";
import {
  type PlainRecord,
  plainRecord,
  RecordFolder,
  recordFrom,
  tidy,
} from "../pull-records/record-folder.ts";
import { byOperation, text, type Check, type Comparison, type Topic, type Vector } from "../topic.ts";

type Contents = Readonly<Record<string, PlainRecord>>;

/** What a case says of the cache or of what is below it. */
interface State {
  readonly entries?: unknown;
  readonly capacity?: number;
  readonly authoritative?: boolean;
  readonly listError?: string | null;
  readonly readWriteError?: string | null;
}

/** Keeps records sorted by key, and fails when told to. */
class StubShelf<T> implements RecordShelf<T> {
  readonly records = new Map<string, T>();
  readonly calls: string[] = [];
  readonly #keyOf: (record: T) => string;
  readonly #faults: { readonly list?: string | null | undefined; readonly other?: string | null | undefined };

  constructor(
    records: readonly T[],
    keyOf: (record: T) => string,
    faults: { readonly list?: string | null | undefined; readonly other?: string | null | undefined },
  ) {
    this.#keyOf = keyOf;
    this.#faults = faults;
    for (const record of records) this.records.set(keyOf(record), record);
  }

  list(): Promise<Listing<T>> {
    const records = [...this.records].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, record]) => record);
    const { list } = this.#faults;
    return Promise.resolve(typeof list === "string" ? { records, error: new Error(list) } : { records });
  }

  async find(key: string): Promise<T | undefined> {
    this.#fail();
    return this.records.get(key);
  }

  async write(record: T): Promise<void> {
    this.calls.push("write");
    this.#fail();
    this.records.set(this.#keyOf(record), record);
  }

  async delete(key: string): Promise<void> {
    this.#fail();
    this.records.delete(key);
  }

  #fail(): void {
    if (typeof this.#faults.other === "string") throw new Error(this.#faults.other);
  }
}

const INTENTS = {
  keyOf: (intent: ImagePullIntent): string => intent.image,
  make: (image: string): ImagePullIntent => ({ image }),
};
const PULLED = {
  keyOf: (record: ImagePulledRecord): string => record.imageRef,
  make: (imageRef: string, fixtures: unknown): ImagePulledRecord => {
    const { records } = fixtures as { readonly records: Contents };
    return recordFrom({ ...records[imageRef], imageRef });
  },
};

interface KindOf<T> {
  readonly keyOf: (record: T) => string;
  readonly make: (key: string, fixtures: unknown) => T;
}

export const topic: Topic = byOperation({
  newCache,
  listIntents: lists(INTENTS, "intents"),
  listPulledRecords: lists(PULLED, "pulled"),
  intentExists: finds(INTENTS, "image"),
  getPulledRecord: finds(PULLED, "imageRef"),
  writeIntent: writes(INTENTS, (vector) => ({ image: text(vector, "image") })),
  writePulledRecord: writes(PULLED, (vector) => recordFrom(vector["record"] as PlainRecord)),
  deleteIntent: deletes(INTENTS),
  deletePulledRecord: deletes(PULLED),
  metricsSequence,
});

async function newCache(vector: Vector, fixtures: unknown): Promise<Comparison> {
  const delegate = vector["delegate"] as Readonly<Record<string, unknown>>;
  const expected = vector["expect"] as Readonly<Record<string, unknown>>;
  const intents = keysOf(delegate["intents"], "intents");
  const pulled = keysOf(delegate["pulledRecords"], "pulled");
  const below: PullRecords = {
    intents: new StubShelf(intents.map(INTENTS.make), INTENTS.keyOf, {
      list: delegate["intentsListError"] as string | null,
    }),
    pulled: new StubShelf(
      pulled.map((key) => PULLED.make(key, fixtures)),
      PULLED.keyOf,
      { list: delegate["pulledRecordsListError"] as string | null },
    ),
  };
  const records = await CachedPullRecords.open(below, {
    intents: vector["intentsCapacity"] as number,
    pulled: vector["pulledRecordsCapacity"] as number,
  });
  const actual = {
    cachedIntents: records.intents.keys.toSorted(),
    intentsAuthoritative: records.intents.authoritative,
    cachedPulledRecords: records.pulled.keys.toSorted(),
    pulledRecordsAuthoritative: records.pulled.authoritative,
    ...shown("Intents", await records.intents.list(), INTENTS.keyOf),
    ...shown("PulledRecords", await records.pulled.list(), PULLED.keyOf),
  };
  const wanted = {
    ...expected,
    cachedIntents: cachedOf(expected["cachedIntents"], intents, "intents"),
    cachedPulledRecords: cachedOf(expected["cachedPulledRecords"], pulled, "pulled"),
    listedIntents: keysOf(expected["listedIntents"], "intents").toSorted(),
    listedPulledRecords: keysOf(expected["listedPulledRecords"], "pulled").toSorted(),
  };
  return { actual, expected: wanted };
}

function shown<T>(
  what: "Intents" | "PulledRecords",
  { records, error }: Listing<T>,
  keyOf: (record: T) => string,
): Record<string, unknown> {
  const lower = what === "Intents" ? "intents" : "pulledRecords";
  return { [`listed${what}`]: records.map(keyOf), [`${lower}ListError`]: error?.message ?? null };
}

function lists<T>(kind: KindOf<T>, family: Family): Check {
  return async (vector, fixtures) => {
    const { cache } = setUp(kind, vector, { fixtures, family });
    const { records, error } = await cache.list();
    const { list, ...rest } = vector["expect"] as Readonly<Record<string, unknown>>;
    const actual = { list: records.map(kind.keyOf), error: error?.message ?? null };
    return {
      actual: { ...actual, authoritative: cache.authoritative, ...cachedKeys(rest, cache) },
      expected: { ...withCached(rest, family), list: keysOf(list, family).toSorted() },
    };
  };
}

function finds<T>(kind: KindOf<T>, member: "image" | "imageRef"): Check {
  return async (vector, fixtures) => {
    const family = member === "image" ? "intents" : "pulled";
    const { cache } = setUp(kind, vector, { fixtures, family });
    const outcome = await settle(() => cache.find(text(vector, member)));
    const expected = vector["expect"] as Readonly<Record<string, unknown>>;
    const record = outcome.value === undefined ? null : kind.keyOf(outcome.value);
    return {
      actual: {
        ...("record" in expected && { record }),
        exists: outcome.value !== undefined,
        error: outcome.error,
        authoritative: cache.authoritative,
        ...cachedKeys(expected, cache),
      },
      expected: withCached(expected, family),
    };
  };
}

function writes<T>(kind: KindOf<T>, make: (vector: Vector) => T): Check {
  return async (vector, fixtures) => {
    const record = make(vector);
    const family = kind.keyOf === (INTENTS.keyOf as unknown) ? "intents" : "pulled";
    const { cache, below } = setUp(kind, vector, { fixtures, family });
    const { error } = await settle(() => cache.write(record));
    const expected = vector["expect"] as Readonly<Record<string, unknown>>;
    const call = family === "intents" ? "WriteImagePullIntent" : "WriteImagePulledRecord";
    const same =
      error !== null ||
      JSON.stringify(show(below.records.get(kind.keyOf(record)))) === JSON.stringify(show(record));
    return {
      actual: {
        error,
        authoritative: cache.authoritative,
        delegateCalls: below.calls.map(() => call),
        ...cachedKeys(expected, cache),
        same,
      },
      expected: { ...withCached(expected, family), same: true },
    };
  };
}

function deletes<T>(kind: KindOf<T>): Check {
  return async (vector, fixtures) => {
    const family = kind.keyOf === (INTENTS.keyOf as unknown) ? "intents" : "pulled";
    const expected = vector["expect"] as Readonly<Record<string, unknown>>;
    const actual = [];
    const states = vector["runWithAuthoritative"] as readonly boolean[];
    for (const authoritative of states) {
      const { cache, below } = setUp(kind, vector, { fixtures, family, authoritative });
      const { error } = await settle(() => cache.delete(text(vector, "key")));
      actual.push({
        error,
        cacheEntries: cache.keys.toSorted(),
        delegateEntries: [...below.records.keys()].toSorted(),
        authoritativeUnchanged: cache.authoritative === authoritative,
      });
    }
    const wanted = {
      ...expected,
      cacheEntries: keysOf(expected["cacheEntries"], family).toSorted(),
      delegateEntries: keysOf(expected["delegateEntries"], family).toSorted(),
    };
    return { actual, expected: states.map(() => wanted) };
  };
}

interface MetricStep {
  readonly op: string;
  readonly args?: readonly string[];
  readonly from?: number;
  readonly to?: number;
  readonly do?: readonly MetricStep[];
  readonly expect?: Readonly<Record<string, number>>;
}

async function metricsSequence(vector: Vector): Promise<Comparison> {
  await using folder = await RecordFolder.make(undefined);
  const gauges = { diskIntents: 0, diskPulled: 0, memIntentsPercent: 0, memPulledPercent: 0 };
  const files = await FilePullRecords.open(folder.root, {
    onCount: (kind, count) => void (gauges[kind === "intents" ? "diskIntents" : "diskPulled"] = count),
  });
  const records = await CachedPullRecords.open(files, {
    intents: vector["intentsCapacity"] as number,
    pulled: vector["pulledRecordsCapacity"] as number,
    onUsage: (kind, percent) =>
      void (gauges[kind === "intents" ? "memIntentsPercent" : "memPulledPercent"] = percent),
  });
  const run = async (step: MetricStep, index: number): Promise<void> => {
    const argument = (step.args?.[0] ?? "").replace("<i>", String(index));
    if (step.op === "writeIntent") await records.intents.write({ image: argument });
    else if (step.op === "writePulledRecord") await records.pulled.write(recordFrom({ imageRef: argument }));
    else if (step.op === "deleteIntent") await records.intents.delete(argument);
    else if (step.op === "deletePulledRecord") await records.pulled.delete(argument);
    else if (step.op === "forEach") {
      for (let i = step.from ?? 0; i <= (step.to ?? 0); i++)
        for (const inner of step.do ?? []) await run(inner, i);
    } else if (step.op !== "check") throw new TypeError(`unknown step ${step.op}`);
  };
  const actual = [];
  const expected = [];
  for (const step of vector["steps"] as readonly MetricStep[]) {
    await run(step, 0);
    const names = Object.keys(step.expect ?? {}) as (keyof typeof gauges)[];
    actual.push(Object.fromEntries(names.map((name) => [name, gauges[name]])));
    expected.push(step.expect ?? {});
  }
  const { intentFiles, pulledFiles, intentMemory, pulledMemory } = METRICS;
  return {
    actual: {
      steps: actual,
      names: {
        diskIntents: intentFiles,
        diskPulled: pulledFiles,
        memIntentsPercent: intentMemory,
        memPulledPercent: pulledMemory,
      },
    },
    expected: { steps: expected, names: vector["metrics"] },
  };
}

type Family = "intents" | "pulled";

function setUp<T>(
  kind: KindOf<T>,
  vector: Vector,
  options: { readonly fixtures: unknown; readonly family: Family; readonly authoritative?: boolean },
): { readonly cache: CachedShelf<T>; readonly below: StubShelf<T> } {
  const delegate = vector["delegate"] as State;
  const state = vector["cache"] as State;
  const make = (entries: unknown): readonly T[] =>
    keysOf(entries, options.family).map((key) => kind.make(key, options.fixtures));
  const below = new StubShelf(make(delegate.entries), kind.keyOf, {
    list: delegate.listError,
    other: delegate.readWriteError,
  });
  const cache = new CachedShelf(below, { capacity: state.capacity ?? 0, keyOf: kind.keyOf });
  cache.restore(make(state.entries), options.authoritative ?? state.authoritative === true);
  return { cache, below };
}

/** The keys a case lists, or those of a range it describes, in the order of insertion. */
function keysOf(entries: unknown, family: Family): readonly string[] {
  if (Array.isArray(entries)) return entries as readonly string[];
  if (entries === null || entries === undefined) return [];
  const {
    range,
    without = [],
    plus = [],
  } = entries as {
    readonly range: number;
    readonly without?: readonly number[];
    readonly plus?: readonly string[];
  };
  const made = Array.from({ length: range }, (_, i) =>
    family === "intents" ? `test.repo/org${i}/project:tag` : `ref-${i}`,
  );
  return [...made.filter((_, i) => !without.includes(i)), ...plus];
}

function cachedOf(entries: unknown, all: readonly string[], family: Family): readonly string[] {
  const first = (entries as { readonly firstOfSorted?: number } | null | undefined)?.firstOfSorted;
  if (first !== undefined) return all.toSorted().slice(0, first);
  return keysOf(entries, family).toSorted();
}

/** The member of an expectation that lists the cache's keys, if there is one. */
function cachedMember(expected: Readonly<Record<string, unknown>>): string | undefined {
  return Object.keys(expected).find((name) => name.startsWith("cached"));
}

function cachedKeys(
  expected: Readonly<Record<string, unknown>>,
  cache: { readonly keys: readonly string[] },
): Record<string, unknown> {
  const member = cachedMember(expected);
  return member === undefined ? {} : { [member]: cache.keys.toSorted() };
}

function withCached(expected: Readonly<Record<string, unknown>>, family: Family): Record<string, unknown> {
  const member = cachedMember(expected);
  return member === undefined
    ? expected
    : { ...expected, [member]: keysOf(expected[member], family).toSorted() };
}

async function settle<T>(
  act: () => Promise<T>,
): Promise<{ readonly value: T | undefined; readonly error: string | null }> {
  try {
    return { value: await act(), error: null };
  } catch (error) {
    return { value: undefined, error: error instanceof Error ? error.message : String(error) };
  }
}

function show(record: unknown): unknown {
  if (typeof record !== "object" || record === null || !("credentialMapping" in record)) return record;
  return tidy(plainRecord(record as ImagePulledRecord));
}
