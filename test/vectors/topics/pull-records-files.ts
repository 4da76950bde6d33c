import { access, mkdir } from "node:fs/promises";
import { join } from "node:path";

import {
  decodeIntent,
  decodePulledRecord,
  encodeIntent,
  encodePulledRecord,
  FilePullRecords,
  ImagesError,
  isRecordFile,
  recordFileName,
} from "../../../src/images/index.ts";
import { type PlainRecord, recordFrom, RecordFolder } from "../pull-records/record-folder.ts";
import { byOperation, list, text, type Topic } from "../topic.ts";

export const topic: Topic = byOperation({
  fileName: (vector) => ({ actual: recordFileName(text(vector, "input")), expected: vector["fileName"] }),
  isRecordFile: (vector) => ({ actual: isRecordFile(text(vector, "name")), expected: vector["expect"] }),
  encode(vector) {
    const object = vector["object"] as PlainRecord & { readonly image?: string };
    const actual =
      vector["kind"] === "ImagePullIntent"
        ? encodeIntent({ image: object.image ?? "" })
        : encodePulledRecord(recordFrom(object));
    return { actual, expected: vector["expect"] };
  },
  decode(vector) {
    const decode = vector["kind"] === "ImagePullIntent" ? decodeIntent : decodePulledRecord;
    try {
      const { value } = decode(text(vector, "text"));
      const again = "image" in value ? encodeIntent(value) : encodePulledRecord(value);
      const expected = vector["expect"] as (PlainRecord & { readonly image?: string }) | undefined;
      if (vector["error"] === true || expected === undefined) {
        return { actual: { error: false }, expected: { error: vector["error"] === true } };
      }
      const wanted =
        expected.image === undefined
          ? encodePulledRecord(recordFrom(expected))
          : encodeIntent({ image: expected.image });
      return { actual: again, expected: wanted };
    } catch (error) {
      if (!(error instanceof ImagesError)) throw error;
      return { actual: { error: true }, expected: { error: vector["error"] === true } };
    }
  },
  async initAccessor(vector, fixtures) {
    await using folder = await RecordFolder.make(fixtures);
    if (vector["kubeletDirExists"] === true) await mkdir(folder.root);
    await folder.place("pulling", vector["pullingFiles"]);
    await folder.place("pulled", vector["pulledFiles"]);
    await FilePullRecords.open(folder.root);
    for (const directory of list<string>(vector, "expectDirectories")) {
      await access(join(folder.root, directory));
    }
    return {
      actual: { pulling: await folder.readAll("pulling"), pulled: await folder.readAll("pulled") },
      expected: { pulling: vector["expectPulling"] ?? {}, pulled: vector["expectPulled"] ?? {} },
    };
  },
});
