import {
  CachedPullRecords,
  decodePulledRecord,
  FilePullRecords,
  type ImagePullSecret,
  type ImagePullServiceAccount,
  makeVerificationPolicy,
  METRICS,
  type PodCredentials,
  PullManager,
  recordFileName,
} from "../../../src/images/index.ts";
import { type PlainRecord, plainRecord, RecordFolder, tidy } from "../pull-records/record-folder.ts";
import { byOperation, list, text, type Topic, type Vector } from "../topic.ts";

/** Later than any record of the fixtures. */
const NOW = Date.parse("2026-01-02T03:04:05Z");

interface Call {
  readonly image: string;
  readonly imageRef: string;
  readonly podSecrets?: readonly ImagePullSecret[];
  readonly podServiceAccount?: ImagePullServiceAccount | null;
  readonly podCredentialsError?: string;
}

interface Outcome {
  readonly mustPull: boolean;
  readonly error: string | undefined;
  readonly requested: boolean;
  readonly metric: string | null;
}

export const topic: Topic = byOperation({
  async mustAttemptImagePull(vector, fixtures) {
    const imageRef = text(vector, "imageRef");
    const file = recordFileName(imageRef);
    const actual = [];
    for (const cached of [false, true]) {
      await using setting = await setUp(vector, fixtures, cached);
      const { manager, folder, metrics } = setting;
      const outcome = await attempt(manager, metrics, vector as unknown as Call);
      const record = (await folder.list("pulled")).includes(file) ? await folder.read("pulled", file) : "";
      const written = record.includes('"2026-01-02T03:04:05Z"');
      actual.push({
        ...outcome,
        metric: vector["metricResult"] === undefined ? undefined : outcome.metric,
        written,
        record:
          vector["recordAfter"] === undefined ? undefined : plainRecord(decodePulledRecord(record).value),
      });
    }
    const after = vector["recordAfter"] as PlainRecord | undefined;
    const expected = {
      mustPull: vector["mustPull"],
      error: vector["error"] || undefined,
      requested: vector["podCredentialsRequested"],
      metric: vector["metricResult"],
      written: vector["recordWritten"],
      record: after && tidy(after),
    };
    return { actual, expected: [expected, expected] };
  },
  async mustAttemptSequence(vector, fixtures) {
    await using setting = await setUp(vector, fixtures, true);
    const calls = vector["calls"] as readonly (Call & { mustPull: boolean; metricResult: string | null })[];
    const actual = [];
    for (const call of calls) {
      const { mustPull, metric } = await attempt(setting.manager, setting.metrics, call);
      actual.push({ mustPull, metric });
    }
    return {
      actual,
      expected: calls.map((call) => ({ mustPull: call.mustPull, metric: call.metricResult })),
    };
  },
});

interface Setting extends AsyncDisposable {
  readonly manager: PullManager;
  readonly folder: RecordFolder;
  /** Results as they were counted. */
  readonly metrics: string[];
}

async function setUp(vector: Vector, fixtures: unknown, cached: boolean): Promise<Setting> {
  const folder = await RecordFolder.make(fixtures);
  await folder.place("pulling", vector["pullingFiles"]);
  await folder.place("pulled", vector["pulledFiles"]);
  const files = await FilePullRecords.open(folder.root);
  const metrics: string[] = [];
  const manager = new PullManager({
    records: cached ? await CachedPullRecords.open(files, { intents: 10, pulled: 10 }) : files,
    policy: makeVerificationPolicy(text(vector, "policy"), {
      allowlist: list<string>(vector, "allowlist"),
    }),
    now: () => NOW,
    metrics: {
      count: (name, labels) =>
        void metrics.push(name === METRICS.mustPullChecks ? (labels["result"] ?? "") : name),
      set: () => {},
      observe: () => {},
    },
  });
  return { manager, folder, metrics, [Symbol.asyncDispose]: () => folder[Symbol.asyncDispose]() };
}

async function attempt(manager: PullManager, metrics: string[], call: Call): Promise<Outcome> {
  let requested = false;
  const findCredentials = async (): Promise<PodCredentials> => {
    requested = true;
    if (call.podCredentialsError !== undefined) throw new Error(call.podCredentialsError);
    return { secrets: call.podSecrets ?? [], serviceAccount: call.podServiceAccount ?? undefined };
  };
  const { mustPull, because, cause } = await manager.mustAttemptImagePull(
    call.image,
    call.imageRef,
    findCredentials,
  );
  const error = because === "credentials-unavailable" && cause instanceof Error ? cause.message : undefined;
  return { mustPull, error, requested, metric: metrics.splice(0).join() || null };
}
