/**
 * Pull records on disk, in the kubelet's format and place.
 *
 * ```text
 * <root>/image_manager/
 *   pulling/sha256-<of the image text>     an intent: this pull began
 *   pulled/sha256-<of the image ref>       a record: who pulled this image, under which names
 * ```
 */
import { join } from "node:path";

import { FileShelf, INTENTS, PULLED_RECORDS } from "./file-shelf.ts";
import type { ImagePulledRecord, ImagePullIntent } from "./record.ts";
import type { PullRecords, RecordShelf } from "./record-shelf.ts";

export interface FilePullRecordsOptions {
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Told after each change how many files of that kind there are. */
  readonly onCount?: ((kind: "intents" | "pulled", files: number) => void) | undefined;
}

export class FilePullRecords implements PullRecords {
  readonly intents: RecordShelf<ImagePullIntent>;
  readonly pulled: RecordShelf<ImagePulledRecord>;

  private constructor(shelves: PullRecords) {
    this.intents = shelves.intents;
    this.pulled = shelves.pulled;
  }

  /**
   * Opens the records below `root`, the kubelet's own root folder, making folders and migrating old files.
   */
  static async open(root: string, options: FilePullRecordsOptions = {}): Promise<FilePullRecords> {
    const { onWarning, onCount } = options;
    const folder = join(root, "image_manager");
    const countOf = (kind: "intents" | "pulled"): ((files: number) => void) | undefined =>
      onCount === undefined ? undefined : (files) => onCount(kind, files);
    const intents = new FileShelf(folder, INTENTS, { onWarning, onCount: countOf("intents") });
    const pulled = new FileShelf(folder, PULLED_RECORDS, { onWarning, onCount: countOf("pulled") });
    await intents.open();
    await pulled.open();
    return new FilePullRecords({ intents, pulled });
  }

  /** The records below `root` as they are: nothing is made or migrated. For whoever only looks. */
  static look(root: string): FilePullRecords {
    const folder = join(root, "image_manager");
    return new FilePullRecords({
      intents: new FileShelf(folder, INTENTS),
      pulled: new FileShelf(folder, PULLED_RECORDS),
    });
  }
}
