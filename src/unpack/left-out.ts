/** Something an image says that this machine, or this user, couldn't do. */
export interface LeftOut {
  readonly what: "owner" | "setuid bits" | "device" | "extended attribute";
  /** The attribute's name. */
  readonly name?: string;
  /** Why not, as the end of a sentence. */
  readonly reason: string;
  readonly count: number;
  /** The first entry it happened to. */
  readonly path: string;
}

/** Gathers it, each kind once, however many entries there are. */
export class LeftOutList {
  readonly #kinds = new Map<string, { -readonly [K in keyof LeftOut]: LeftOut[K] }>();

  add(found: Omit<LeftOut, "count">): void {
    const key = `${found.what}\0${found.name ?? ""}\0${found.reason}`;
    const known = this.#kinds.get(key);
    if (known === undefined) this.#kinds.set(key, { ...found, count: 1 });
    else known.count++;
  }

  list(): readonly LeftOut[] {
    return [...this.#kinds.values()].map((found) => ({ ...found }));
  }
}

const PLURALS: Readonly<Record<LeftOut["what"], string>> = {
  owner: "owners",
  "setuid bits": "setuid bits",
  device: "devices",
  "extended attribute": "extended attributes",
};

/** `3 extended attributes "security.capability" (the first on "usr/bin/ping"), since …` */
export function formatLeftOut({ what, name, reason, count, path }: LeftOut): string {
  const named = name === undefined ? "" : ` ${JSON.stringify(name)}`;
  const which = count === 1 ? `on ${JSON.stringify(path)}` : `the first on ${JSON.stringify(path)}`;
  return `${count} ${count === 1 ? what : PLURALS[what]}${named} (${which}), since ${reason}`;
}
