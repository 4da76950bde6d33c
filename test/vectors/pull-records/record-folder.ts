/** Record files of the vectors, in a folder of their own. */
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

import {
  type ImagePullCredentials,
  type ImagePulledRecord,
  type ImagePullSecret,
  type ImagePullServiceAccount,
} from "../../../src/images/index.ts";

export interface RecordFixtures {
  readonly pulling: Readonly<Record<string, string>>;
  readonly pulled: Readonly<Record<string, string>>;
}

/** Credentials as the vectors write them: what is empty may stand there or not. */
export interface PlainCredentials {
  readonly kubernetesSecrets?: readonly Partial<ImagePullSecret>[] | null | undefined;
  readonly kubernetesServiceAccounts?: readonly Partial<ImagePullServiceAccount>[] | null | undefined;
  readonly nodePodsAccessible?: boolean | null | undefined;
}

export interface PlainRecord {
  readonly lastUpdatedTime?: string | null;
  readonly imageRef?: string;
  readonly credentialMapping?: Readonly<Record<string, PlainCredentials | null>> | null;
}

export type Kind = "pulling" | "pulled";

export class RecordFolder implements AsyncDisposable {
  /** The kubelet's root. */
  readonly root: string;
  readonly #temporary: string;
  readonly #fixtures: RecordFixtures;

  private constructor(temporary: string, fixtures: RecordFixtures) {
    this.#temporary = temporary;
    this.root = join(temporary, "kubelet");
    this.#fixtures = fixtures;
  }

  static async make(fixtures: unknown): Promise<RecordFolder> {
    const { pulling = {}, pulled = {} } = (fixtures ?? {}) as Partial<RecordFixtures>;
    return new RecordFolder(await mkdtemp(join(tmpdir(), "dray-records-")), { pulling, pulled });
  }

  async place(kind: Kind, files: unknown): Promise<void> {
    for (const file of (files ?? []) as readonly string[]) {
      const text = this.#fixtures[kind][file];
      if (text === undefined) throw new TypeError(`no fixture ${kind}/${file}`);
      await mkdir(join(this.root, "image_manager", kind), { recursive: true });
      await writeFile(join(this.root, "image_manager", kind, file), text);
    }
  }

  async list(kind: Kind): Promise<readonly string[]> {
    return (await readdir(join(this.root, "image_manager", kind))).toSorted();
  }

  async read(kind: Kind, file: string): Promise<string> {
    return await readFile(join(this.root, "image_manager", kind, file), "utf8");
  }

  async readAll(kind: Kind): Promise<Readonly<Record<string, string>>> {
    const files: Record<string, string> = {};
    for (const file of await this.list(kind)) files[file] = await this.read(kind, file);
    return files;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#temporary, { recursive: true });
  }
}

export function credentialsFrom(
  plain: PlainCredentials | null | undefined,
): ImagePullCredentials | undefined {
  return plain ? complete(plain) : undefined;
}

/** All members, as a Go value has them. */
function complete(plain: PlainCredentials | null): Required<ImagePullCredentials> {
  const coordinates = { uid: "", namespace: "", name: "" };
  return {
    kubernetesSecrets: (plain?.kubernetesSecrets ?? []).map((secret) => {
      return { ...coordinates, credentialHash: "", ...secret };
    }),
    kubernetesServiceAccounts: (plain?.kubernetesServiceAccounts ?? []).map((account) => {
      return { ...coordinates, ...account };
    }),
    nodePodsAccessible: plain?.nodePodsAccessible ?? false,
  };
}

export function recordFrom(plain: PlainRecord): ImagePulledRecord {
  const { lastUpdatedTime, imageRef = "" } = plain;
  const entries = Object.entries(plain.credentialMapping ?? {});
  return {
    lastUpdatedTime: typeof lastUpdatedTime === "string" ? Date.parse(lastUpdatedTime) : undefined,
    imageRef,
    credentialMapping: new Map(entries.map(([name, credentials]) => [name, complete(credentials)])),
  };
}

/** Without its time, and with all members of its credentials. */
export function plainRecord(record: ImagePulledRecord): PlainRecord {
  return tidy({
    imageRef: record.imageRef,
    credentialMapping: Object.fromEntries(record.credentialMapping),
  });
}

/** The same record without its time, and with all members of its credentials. */
export function tidy(record: PlainRecord): PlainRecord {
  const mapping: Record<string, PlainCredentials> = {};
  for (const [name, credentials] of Object.entries(record.credentialMapping ?? {})) {
    mapping[name] = complete(credentials);
  }
  return { imageRef: record.imageRef ?? "", credentialMapping: mapping };
}
