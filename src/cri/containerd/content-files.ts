/** Where containerd's content store has its bytes, for who may read its files. */
import { type BigIntStats, existsSync } from "node:fs";
import { readdir, readFile, stat } from "node:fs/promises";
import { join } from "node:path";

export class ContentFiles {
  readonly #root: string;
  readonly #namespace: string;

  /** @param root of containerd's content store */
  constructor(root: string, namespace: string) {
    this.#root = root;
    this.#namespace = namespace;
  }

  /** Of content that is complete; `undefined` where it isn't. */
  find(digest: string): string | undefined {
    const file = join(this.#root, "blobs", ...digest.split(":"));
    return existsSync(file) ? file : undefined;
  }

  /** Of a write under way: each has a folder that says in whose namespace it is, as the how manieth, and for what. */
  async findIngest(ref: string): Promise<string | undefined> {
    const folder = join(this.#root, "ingest");
    const [before, after] = [`${this.#namespace}/`, `/${ref}`];
    let [latest, found] = [-1, undefined as string | undefined];
    for (const name of await readdir(folder).catch(() => [])) {
      const text = await readFile(join(folder, name, "ref"), "utf8").catch(() => "");
      if (!text.startsWith(before) || !text.endsWith(after)) continue;
      const number = Number(text.slice(before.length, -after.length));
      if (!(number > latest)) continue;
      [latest, found] = [number, join(folder, name, "data")];
    }
    return found;
  }

  /** What a file is called behind its name, which stays when a write becomes content. */
  async identify(file: string): Promise<string> {
    return identityOf(await stat(file, { bigint: true }));
  }
}

export function identityOf({ dev, ino }: Pick<BigIntStats, "dev" | "ino">): string {
  return `${dev}:${ino}`;
}
