import { type FSWatcher, watch } from "node:fs";
import { readFile, readdir, stat } from "node:fs/promises";
import { join } from "node:path";

/** A file as it was last read: its text, or why it couldn't be read. */
export type WatchedFile =
  | { readonly name: string; readonly text: string }
  | { readonly name: string; readonly error: NodeJS.ErrnoException };

export interface FolderContent {
  /** Sorted by name. */
  readonly files: readonly WatchedFile[];
  /** Why the folder itself can't be read; `files` is then what it last was, or nothing if the folder is gone. */
  readonly error?: NodeJS.ErrnoException;
}

export interface FolderWatcherOptions {
  readonly folder: string;
  /** Told of the first reading, and then whenever something differs. */
  readonly onChange: (content: FolderContent) => void;
  /** Milliseconds between looks without any notice, for file systems that give none; 20 s, as the kubelet's. */
  readonly rescanInterval?: number;
  /** Milliseconds to let an editor finish what it does; 50 by default. */
  readonly settle?: number;
}

interface Known {
  readonly stamp: string;
  readonly file: WatchedFile;
}

/** A file longer than this is no manifest; the kubelet stops at 10 MiB too. */
const MAX_SIZE = 10 * 1024 * 1024;

/**
 * Knows what the files of one folder say. Hidden files, folders and editors' backups (`web.yaml~`) don't count. A
 * file is read again only if its inode, size or times changed, so files replaced by renaming are seen as well as
 * those written in place.
 */
export class FolderWatcher implements AsyncDisposable {
  readonly #options: FolderWatcherOptions;
  #known = new Map<string, Known>();
  #errorCode: string | undefined;
  #reported = false;
  #watcher: FSWatcher | undefined;
  #interval: NodeJS.Timeout | undefined;
  #settling: NodeJS.Timeout | undefined;
  #scanning: Promise<void> | undefined;
  #again = false;
  #closed = false;

  constructor(options: FolderWatcherOptions) {
    this.#options = options;
  }

  /** Reads the folder and begins to watch. */
  async start(): Promise<void> {
    this.#interval = setInterval(() => void this.rescan(), this.#options.rescanInterval ?? 20_000);
    await this.rescan();
  }

  /** Looks now. Looks that are asked for meanwhile become one more. */
  async rescan(): Promise<void> {
    if (this.#closed) return;
    if (this.#scanning !== undefined) {
      this.#again = true;
      return await this.#scanning;
    }
    this.#scanning = this.#scanUntilQuiet();
    await this.#scanning;
  }

  async close(): Promise<void> {
    this.#closed = true;
    clearInterval(this.#interval);
    clearTimeout(this.#settling);
    this.#watcher?.close();
    await this.#scanning;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close();
  }

  async #scanUntilQuiet(): Promise<void> {
    try {
      do {
        this.#again = false;
        // Watching begins before reading: what changes in between is noticed.
        this.#watch();
        await this.#scan();
      } while (this.#again && !this.#closed);
    } finally {
      // Here, where nobody comes between: a look that is asked for from now on is one of its own.
      this.#scanning = undefined;
    }
  }

  async #scan(): Promise<void> {
    const { folder, onChange } = this.#options;
    let names: string[];
    try {
      names = await readdir(folder);
    } catch (cause) {
      const error = cause as NodeJS.ErrnoException;
      if (error.code === "ENOENT") this.#known = new Map();
      const news = !this.#reported || this.#errorCode !== error.code;
      this.#errorCode = error.code;
      this.#reported = true;
      if (news && !this.#closed) onChange({ files: this.#files(), error });
      return;
    }
    const known = new Map<string, Known>();
    for (const name of names.filter(counts).sort()) {
      const entry = await this.#read(name);
      if (entry !== undefined) known.set(name, entry);
    }
    const same =
      known.size === this.#known.size &&
      [...known].every(([name, { stamp }]) => this.#known.get(name)?.stamp === stamp);
    const news = !same || !this.#reported || this.#errorCode !== undefined;
    this.#known = known;
    this.#errorCode = undefined;
    this.#reported = true;
    if (news && !this.#closed) onChange({ files: this.#files() });
  }

  async #read(name: string): Promise<Known | undefined> {
    const path = join(this.#options.folder, name);
    try {
      const info = await stat(path, { bigint: true });
      if (!info.isFile()) return undefined;
      const stamp = `${info.ino} ${info.size} ${info.mtimeNs} ${info.ctimeNs}`;
      const before = this.#known.get(name);
      if (before?.stamp === stamp) return before;
      if (info.size > MAX_SIZE) return { stamp, file: { name, error: tooLarge(path) } };
      return { stamp, file: { name, text: await readFile(path, "utf8") } };
    } catch (cause) {
      const error = cause as NodeJS.ErrnoException;
      // Gone between listing and reading: it isn't there.
      return error.code === "ENOENT" ? undefined : { stamp: `error ${error.code}`, file: { name, error } };
    }
  }

  #files(): readonly WatchedFile[] {
    return [...this.#known.values()].map(({ file }) => file);
  }

  #watch(): void {
    if (this.#watcher !== undefined || this.#closed) return;
    try {
      const watcher = watch(this.#options.folder, (_, name) => {
        if (name === null || counts(name)) this.#soon();
      });
      // A folder that goes away ends its watch; a later look begins another.
      const forget = (): void => {
        watcher.close();
        if (this.#watcher === watcher) this.#watcher = undefined;
      };
      watcher.on("error", forget);
      this.#watcher = watcher;
    } catch {
      // No notices here, then: the folder is missing, or watches have run out. Looking regularly still works.
    }
  }

  #soon(): void {
    if (this.#settling !== undefined || this.#closed) return;
    this.#settling = setTimeout(() => {
      this.#settling = undefined;
      void this.rescan();
    }, this.#options.settle ?? 50);
  }
}

function counts(name: string): boolean {
  return !name.startsWith(".") && !name.endsWith("~");
}

function tooLarge(path: string): NodeJS.ErrnoException {
  return Object.assign(new Error("the file is larger than 10 MiB"), { code: "EFBIG", path, syscall: "read" });
}
