import { createHash, randomBytes } from "node:crypto";
import { readFileSync } from "node:fs";
import { open, readdir, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";

import { syncFolder } from "../../internal/atomic-write.ts";
import { aggregate } from "../../internal/kubernetes/field-error.ts";
import { messageOf } from "../message-of.ts";
import { ImagesError } from "../errors.ts";
import { goQuote } from "../../internal/go/quote.ts";
import { makeFolder } from "../../internal/make-folder.ts";
import { goFileError, isMissing } from "./go-file-error.ts";
import type { ImagePulledRecord, ImagePullIntent } from "./record.ts";
import type { Listing, RecordShelf } from "./record-shelf.ts";
import {
  CURRENT_VERSION,
  type Decoded,
  decodeIntent,
  decodePulledRecord,
  encodeIntent,
  encodePulledRecord,
} from "./record-text.ts";

/** How records of one kind are written, and where. */
export interface RecordFormat<T> {
  readonly kind: string;
  /** The folder below the kubelet's `image_manager`. */
  readonly folder: "pulling" | "pulled";
  /** What a record is kept by, as messages call it. */
  readonly keyName: string;
  readonly keyOf: (record: T) => string;
  readonly encode: (record: T) => string;
  readonly decode: (text: string) => Decoded<T>;
}

export const INTENTS: RecordFormat<ImagePullIntent> = {
  kind: "ImagePullIntent",
  folder: "pulling",
  keyName: "image",
  keyOf: (intent) => intent.image,
  encode: encodeIntent,
  decode: decodeIntent,
};

export const PULLED_RECORDS: RecordFormat<ImagePulledRecord> = {
  kind: "ImagePulledRecord",
  folder: "pulled",
  keyName: "image ref",
  keyOf: (record) => record.imageRef,
  encode: encodePulledRecord,
  decode: decodePulledRecord,
};

const PREFIX = "sha256-";
const DRAFT = ".tmp";
/** Files read at a stretch when a folder is listed; then others get their turn. */
const STRETCH = 32;

/** The file of an image (intents) or of an image reference (pulled records). */
export function recordFileName(key: string): string {
  return PREFIX + createHash("sha256").update(key).digest("hex");
}

export function isRecordFile(name: string): boolean {
  return name.startsWith(PREFIX) && !name.endsWith(DRAFT);
}

export interface FileShelfOptions {
  /** Told what went wrong with a file that is then left alone. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** Told after each change how many files there are. */
  readonly onCount?: ((files: number) => void) | undefined;
}

/** One file for each record, whole or absent. */
export class FileShelf<T> implements RecordShelf<T> {
  readonly #folder: string;
  readonly #format: RecordFormat<T>;
  readonly #options: FileShelfOptions;

  /** @param root the kubelet's `image_manager` folder */
  constructor(root: string, format: RecordFormat<T>, options: FileShelfOptions = {}) {
    this.#folder = join(root, format.folder);
    this.#format = format;
    this.#options = options;
  }

  /** Makes the folder, and rewrites in today's version what an older kubelet wrote. */
  async open(): Promise<void> {
    makeFolder(this.#folder, { mode: 0o700 });
    const { kind, keyName, keyOf } = this.#format;
    await this.#forEachFile(
      async (path, text) => {
        if (isCurrent(text, kind)) return;
        let decoded: Decoded<T>;
        try {
          decoded = this.#format.decode(text);
        } catch (error) {
          if (!(error instanceof ImagesError)) throw error;
          this.#warn(`failed to decode ${kind} from file ${goQuote(path)}: ${error.message}`);
          return;
        }
        if (decoded.apiVersion === CURRENT_VERSION) return;
        try {
          await this.#put(decoded.value);
        } catch (error) {
          const key = goQuote(keyOf(decoded.value));
          const message = messageOf(error);
          this.#warn(`failed to migrate ${kind} for ${keyName} ${key} to the current version: ${message}`);
        }
      },
      (error) => this.#warn(error.message),
    );
  }

  async list(): Promise<Listing<T>> {
    const records: T[] = [];
    const errors: Error[] = [];
    await this.#forEachFile(
      (path, text) => {
        try {
          records.push(this.#format.decode(text).value);
        } catch (error) {
          errors.push(this.#undecodable(path, error));
        }
      },
      (error) => errors.push(error),
    );
    if (errors.length === 0) return { records };
    return {
      records,
      error: new ImagesError("RECORD_UNREADABLE", aggregate(errors.map(messageOf)), {
        cause: new AggregateError(errors),
      }),
    };
  }

  async find(key: string): Promise<T | undefined> {
    const path = this.#pathOf(key);
    let text: string;
    try {
      text = await readFile(path, "utf8");
    } catch (error) {
      if (isMissing(error)) return undefined;
      throw unreadable(path, error);
    }
    let record: T;
    try {
      record = this.#format.decode(text).value;
    } catch (error) {
      throw this.#undecodable(path, error);
    }
    return this.#format.keyOf(record) === key ? record : undefined;
  }

  async write(record: T): Promise<void> {
    await this.#put(record);
    await this.#count();
  }

  async delete(key: string): Promise<void> {
    const path = this.#pathOf(key);
    try {
      await rm(path, { force: true });
    } catch (error) {
      throw new ImagesError("RECORD_UNWRITABLE", goFileError(error, `remove ${path}`), { cause: error });
    }
    await this.#count();
  }

  async #put(record: T): Promise<void> {
    const path = this.#pathOf(this.#format.keyOf(record));
    // A name of its own: another process may be writing the same record into the same folder.
    const draft = `${path}.${randomBytes(6).toString("hex")}${DRAFT}`;
    const fail = (what: string, error: unknown, call: string): ImagesError =>
      new ImagesError("RECORD_UNWRITABLE", what + goFileError(error, call), { cause: error });
    try {
      makeFolder(this.#folder, { mode: 0o700 });
    } catch (error) {
      throw fail(`failed to create directory ${goQuote(this.#folder)}: `, error, `mkdir ${this.#folder}`);
    }
    try {
      const file = await open(draft, "w", 0o600);
      try {
        await file.writeFile(this.#format.encode(record));
        await file.sync();
      } finally {
        await file.close();
      }
    } catch (error) {
      await rm(draft, { force: true, recursive: false }).catch(() => {});
      throw fail(`failed to create temporary file ${goQuote(draft)}: `, error, `open ${draft}`);
    }
    try {
      await rename(draft, path);
    } catch (error) {
      await rm(draft, { force: true }).catch(() => {});
      throw fail("", error, `rename ${draft} ${path}`);
    }
    await syncFolder(this.#folder);
  }

  async #count(): Promise<void> {
    if (this.#options.onCount === undefined) return;
    const names = await readdir(this.#folder);
    this.#options.onCount(names.filter(isRecordFile).length);
  }

  /** Reads the record files in the order of their names. */
  async #forEachFile(
    use: (path: string, text: string) => void | Promise<void>,
    fail: (error: Error) => void,
  ): Promise<void> {
    let names: string[];
    try {
      const entries = await readdir(this.#folder, { withFileTypes: true });
      names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
    } catch (error) {
      if (!isMissing(error)) fail(unreadable(this.#folder, error));
      return;
    }
    names = names.filter(isRecordFile).sort();
    // Thousands of tiny files: reading them here takes a third of the time that handing each to a thread would.
    for (const [index, name] of names.entries()) {
      if (index % STRETCH === STRETCH - 1) await new Promise(setImmediate);
      const path = join(this.#folder, name);
      let text: string;
      try {
        text = readFileSync(path, "utf8");
      } catch (error) {
        fail(unreadable(path, error));
        continue;
      }
      await use(path, text);
    }
  }

  #pathOf(key: string): string {
    return join(this.#folder, recordFileName(key));
  }

  #undecodable(path: string, error: unknown): Error {
    if (!(error instanceof ImagesError)) throw error;
    const what = `failed to deserialize content of file ${goQuote(path)} into ${this.#format.kind}`;
    return new ImagesError("RECORD_UNREADABLE", `${what}: ${error.message}`, { cause: error });
  }

  #warn(message: string): void {
    this.#options.onWarning?.(message);
  }
}

/** Whether a text begins as we and today's kubelets write it: then there is nothing to rewrite. */
function isCurrent(text: string, kind: string): boolean {
  return text.startsWith(`{"kind":"${kind}","apiVersion":"${CURRENT_VERSION}",`);
}

function unreadable(path: string, error: unknown): ImagesError {
  const message = `failed to read ${goQuote(path)}: ${goFileError(error, `open ${path}`)}`;
  return new ImagesError("RECORD_UNREADABLE", message, { cause: error });
}
