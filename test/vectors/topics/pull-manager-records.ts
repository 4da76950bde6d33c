import {
  CachedPullRecords,
  decodeIntent,
  decodePulledRecord,
  FilePullRecords,
  type ImagePullServiceAccount,
  type ListedNames,
  makeVerificationPolicy,
  mergeIntoRecord,
  mergeServiceAccounts,
  PullManager,
  type PullRecords,
} from "../../../src/images/index.ts";
import {
  credentialsFrom,
  type PlainCredentials,
  type PlainRecord,
  plainRecord,
  RecordFolder,
  recordFrom,
  tidy,
} from "../pull-records/record-folder.ts";
import { byOperation, list, text, type Check, type Comparison, type Topic, type Vector } from "../topic.ts";

/** Later than any record of the fixtures. */
const NOW = Date.parse("2026-01-02T03:04:05Z");

export const topic: Topic = byOperation({
  recordPullIntent: withManager(async (vector, { manager, folder }) => {
    const image = text(vector, "image");
    await manager.recordPullIntent(image);
    const intent = decodeIntent(await folder.read("pulling", text(vector, "expectFile"))).value;
    return {
      actual: { intent, count: manager.intentsOf(image) },
      expected: { intent: vector["expectIntent"], count: vector["intentCounterAfter"] },
    };
  }),
  recordImagePulled: withManager(async (vector, { manager, folder }) => {
    const image = text(vector, "image");
    const credentials = credentialsFrom(vector["credentials"] as PlainCredentials | null);
    await manager.recordImagePulled(image, text(vector, "imageRef"), credentials);
    const record = decodePulledRecord(await folder.read("pulled", text(vector, "checkedFile"))).value;
    const removed = vector["expectPullingRemoved"];
    const removes = typeof removed === "string" && removed !== "";
    return {
      actual: {
        count: manager.intentsOf(image),
        files: await folder.list("pulled"),
        record: plainRecord(record),
        updated: record.lastUpdatedTime === NOW,
        removed: removes && !(await folder.list("pulling")).includes(String(removed)),
      },
      expected: {
        count: vector["intentCounterAfter"],
        files: sorted(vector["expectPulledFiles"]),
        record: tidy(vector["expectRecord"] as PlainRecord),
        updated: vector["expectUpdated"],
        removed: removes,
      },
    };
  }),
  initialize: withManager(async (vector, { manager, folder }) => {
    const images = list<Readonly<Record<string, unknown>>>(vector, "runtimeImages").map(
      (image): ListedNames => {
        return {
          id: String(image["id"]),
          repoTags: list(image, "repoTags"),
          repoDigests: list(image, "repoDigests"),
        };
      },
    );
    await manager.convertIntents(() => Promise.resolve(images));
    return {
      actual: { intents: await folder.list("pulling"), pulled: await folder.list("pulled") },
      expected: { intents: sorted(vector["expectIntentFiles"]), pulled: sorted(vector["expectPulledFiles"]) },
    };
  }),
  pruneUnknownRecords: withManager(async (vector, { manager, folder }) => {
    await manager.pruneUnknownRecords(list<string>(vector, "imageList"), Date.parse(text(vector, "until")));
    return { actual: await folder.list("pulled"), expected: sorted(vector["expectPulledFiles"]) };
  }),
  mergeCredentials(vector) {
    const { value, changed } = mergeIntoRecord(
      recordFrom(vector["current"] as PlainRecord),
      text(vector, "imageWithoutTag"),
      credentialsFrom(vector["new"] as PlainCredentials | null),
    );
    return {
      actual: { record: plainRecord(value), changed },
      expected: { record: tidy(vector["expectRecord"] as PlainRecord), changed: vector["expectUpdated"] },
    };
  },
  mergeServiceAccounts(vector) {
    const lists = ["orig", "new"].map((name) => list<ImagePullServiceAccount>(vector, name));
    const { value, changed } = mergeServiceAccounts(lists[0] ?? [], lists[1] ?? []);
    return {
      actual: { value, changed },
      expected: { value: list(vector, "expect"), changed: vector["changed"] },
    };
  },
});

interface Setting {
  readonly manager: PullManager;
  readonly folder: RecordFolder;
}

/** Each case twice: on the files alone, and with the memory before them, which must not show. */
function withManager(act: (vector: Vector, setting: Setting) => Promise<Comparison>): Check {
  return async (vector, fixtures) => {
    const plain = await runOn(vector, fixtures, { act, cached: false });
    const cached = await runOn(vector, fixtures, { act, cached: true });
    return { actual: [plain.actual, cached.actual], expected: [plain.expected, cached.expected] };
  };
}

async function runOn(
  vector: Vector,
  fixtures: unknown,
  options: {
    readonly act: (vector: Vector, setting: Setting) => Promise<Comparison>;
    readonly cached: boolean;
  },
): Promise<Comparison> {
  await using folder = await RecordFolder.make(fixtures);
  await folder.place("pulling", vector["existingPulling"] ?? vector["existingIntents"]);
  await folder.place("pulled", vector["existingPulled"]);
  const files = await FilePullRecords.open(folder.root);
  const records: PullRecords = options.cached
    ? await CachedPullRecords.open(files, { intents: 10, pulled: 10 })
    : files;
  const policy = makeVerificationPolicy("NeverVerifyPreloadedImages");
  const manager = new PullManager({ records, policy, now: () => NOW });
  const running = (vector["intentCounterBefore"] as number | undefined) ?? 0;
  for (let count = 0; count < running; count++) await manager.recordPullIntent(text(vector, "image"));
  return await options.act(vector, { manager, folder });
}

function sorted(files: unknown): readonly string[] {
  return ((files ?? []) as readonly string[]).toSorted();
}
