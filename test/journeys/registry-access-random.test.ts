/**
 * Tenants, robots and strangers do twelve thousand things in one registry, by chance and in the same order every time,
 * with passwords and with tokens for more or less than they need. A plain model predicts every answer: nobody reads,
 * or learns the existence of, what they may not.
 */
import assert from "node:assert/strict";
import { test } from "node:test";

import { Secret } from "../../src/credentials/index.ts";
import { digestOf, type Digest } from "../../src/oci/index.ts";
import {
  createRobot,
  openAccess,
  openRegistry,
  openSqliteAccessStore,
  openSqliteMetadata,
  putUser,
  type AccessConfig,
  type Registry,
} from "../../src/registry/index.ts";
import { MemoryBlobStore } from "../../src/store/index.ts";
import {
  Model,
  type Action,
  type Actor,
  type Expected,
  type Manifest,
  type Scopes,
} from "./registry-access-model.ts";

const OPERATIONS = Number(process.env["DRAY_OPERATIONS"] ?? 12_000);
const SEED = Number(process.env["DRAY_SEED"] ?? 20_260_801);
const GRACE = 60 * 60 * 1_000;
const CONFIG: AccessConfig = {
  realm: "registry.test",
  groups: { b: ["bob", "robot:b"] },
  policies: [
    { repositories: ["a/**"], actions: ["pull", "push", "delete"], subjects: ["user:alice"] },
    { repositories: ["b/**"], actions: ["pull", "push"], subjects: ["group:b"] },
    { repositories: ["b/x/**", "public/*"], actions: ["delete"], subjects: ["group:b"] },
    { repositories: ["public/**"], actions: ["pull"], subjects: ["everyone"] },
    { repositories: ["public/**"], actions: ["push"], subjects: ["users"] },
    { effect: "deny", repositories: ["*/secret"], actions: ["pull"], subjects: ["user:bob", "robot:b"] },
  ],
  tokens: { lifetime: "1h" },
};

function isIn(tenant: string, name: string): boolean {
  return name === tenant || name.startsWith(`${tenant}/`);
}

/** The same rules, as somebody would tell them. */
const ACTORS: readonly Actor[] = [
  { name: "", anonymous: true, may: (action, name) => action === "pull" && isIn("public", name) },
  {
    name: "alice",
    anonymous: false,
    may: (action, name) => isIn("a", name) || (isIn("public", name) && action !== "delete"),
  },
  {
    name: "bob",
    anonymous: false,
    may: (action, name) =>
      action === "delete"
        ? isIn("b/x", name) || /^public\/[^/]+$/.test(name)
        : (isIn("b", name) || isIn("public", name)) && !(action === "pull" && /^[^/]+\/secret$/.test(name)),
  },
  {
    name: "robot+b",
    anonymous: false,
    may: (action, name) =>
      action === "delete"
        ? isIn("b/x", name) || /^public\/[^/]+$/.test(name)
        : (isIn("b", name) || (isIn("public", name) && action === "pull")) &&
          !(action === "pull" && /^[^/]+\/secret$/.test(name)),
  },
  {
    name: "robot+own",
    anonymous: false,
    may: (action, name) => name === "own/app" || (isIn("public", name) && action === "pull"),
  },
];
const NAMES = [
  "a",
  "a/app",
  "a/secret",
  "ab",
  "b/app",
  "b/secret",
  "b/x/y",
  "own/app",
  "own/apps",
  "public/app",
];
const TEXTS = Array.from({ length: 6 }, (_, index) => `blob ${index}`);
const TAGS = ["1", "1.0", "latest", "z"];
const ACTIONS: readonly Action[] = ["pull", "push", "delete"];

class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = seed;
  }

  below(limit: number): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) % limit;
  }

  of<Item>(items: readonly Item[]): Item {
    return items[this.below(items.length)] as Item;
  }

  some<Item>(items: readonly Item[]): Item[] {
    return items.filter(() => this.below(2) === 0);
  }
}

/** Sends what the model predicts, and holds the answers against it. */
class Walk {
  readonly #registry: Registry;
  readonly #secrets: ReadonlyMap<string, string>;
  readonly #tokens = new Map<string, string>();
  readonly #clock: { now: number };
  readonly #model: Model;
  readonly #chance: Chance;
  readonly #digests: Digest[] = TEXTS.map((text) => digestOf(text));
  readonly answers = new Map<string, number>();
  collected = 0;

  constructor(
    registry: Registry,
    secrets: ReadonlyMap<string, string>,
    options: { readonly seed: number; readonly clock: { now: number } },
  ) {
    this.#clock = options.clock;
    this.#model = new Model(() => options.clock.now);
    this.#registry = registry;
    this.#secrets = secrets;
    this.#chance = new Chance(options.seed);
  }

  get content(): readonly Digest[] {
    return this.#model.content();
  }

  /** Collects garbage, and holds what went against what the model says. */
  async collect(): Promise<void> {
    const { collected } = await this.#registry.collect();
    const gone = [...collected.repositories.values()].reduce((sum, { count }) => sum + count, 0);
    assert.equal(gone, this.#model.collect(GRACE));
    this.collected += gone;
  }

  async step(): Promise<void> {
    const chance = this.#chance;
    // At least as much as lies between two notes of the same question.
    this.#clock.now += 1_000 * (1 + chance.below(12));
    const [actor, name] = [chance.of(ACTORS), chance.of(NAMES)];
    const digest = chance.of(this.#digests);
    const reference = chance.below(2) === 0 ? chance.of(TAGS) : digest;
    const page = { last: chance.of(["", "1", "a", "b/app", "m", "zz"]), n: chance.below(5) };
    const query = `?n=${page.n}&last=${encodeURIComponent(page.last)}`;
    const base = `/v2/${name}`;
    const act = async (
      method: string,
      path: string,
      action: readonly Action[],
      expect: (scopes: Scopes) => Expected,
      body?: string,
    ): Promise<void> => {
      const scopes = this.#chooseScopes(name);
      const refused = this.#model.refusal(actor, scopes, [[name, action]]);
      const expected = refused === undefined ? expect(scopes) : { status: refused };
      await this.#send(actor, scopes, { method, path, body }, expected);
    };
    const model = this.#model;
    switch (chance.below(14)) {
      case 10:
        return await this.collect();
      case 0:
      case 11:
      case 12: {
        const text = chance.of(TEXTS);
        const path = `${base}/blobs/uploads/?digest=${digestOf(text)}`;
        return await act("POST", path, ["pull", "push"], () => model.pushBlob(name, text), text);
      }
      case 1:
        return await act("GET", `${base}/blobs/${digest}`, ["pull"], () => model.blob(name, digest));
      case 2:
        return await act("HEAD", `${base}/blobs/${digest}`, ["pull"], () => model.headBlob(name, digest));
      case 3: {
        const from = chance.below(2) === 0 ? undefined : chance.of(NAMES);
        const path = `${base}/blobs/uploads/?mount=${digest}${from === undefined ? "" : `&from=${from}`}`;
        return await act("POST", path, ["pull", "push"], (scopes) =>
          model.mount(actor, scopes, name, { digest, from }),
        );
      }
      case 4:
      case 5: {
        const [manifest, tag] = [this.#makeManifest(), chance.of(TAGS)];
        const path = `${base}/manifests/${tag}`;
        const put = (): Expected => model.putManifest(name, manifest, tag);
        return await act("PUT", path, ["pull", "push"], put, manifest.text);
      }
      case 6:
        return await act("GET", `${base}/manifests/${reference}`, ["pull"], () =>
          model.manifest(name, reference),
        );
      case 7: {
        const blob = chance.below(2) === 0;
        const path = blob ? `${base}/blobs/${digest}` : `${base}/manifests/${reference}`;
        return await act("DELETE", path, ["delete"], () =>
          blob ? model.deleteBlob(name, digest) : model.deleteManifest(name, reference),
        );
      }
      case 8:
        return await act("GET", `${base}/tags/list${query}`, ["pull"], () => model.tags(name, page));
      case 9:
        return await act("GET", `${base}/referrers/${digest}`, ["pull"], () => model.referrers(name, digest));
      default: {
        // Without a login nobody is asked for; with a token for anything else, nobody is told.
        const token = actor.anonymous || chance.below(2) === 0;
        const expected = model.catalog(actor, page);
        const request = { method: "GET", path: `/v2/_catalog${query}`, body: undefined };
        return await this.#send(actor, token ? "catalog" : undefined, request, expected);
      }
    }
  }

  /** Nothing but a name and password; what is needed; or this and that. */
  #chooseScopes(name: string): Scopes {
    const chance = this.#chance;
    const kind = chance.below(4);
    if (kind < 2) return undefined;
    if (kind === 2) return NAMES.map((one) => [one, ACTIONS]);
    return [
      [name, chance.some(ACTIONS)],
      ...chance.some(NAMES).map((one): [string, Action[]] => [one, ["pull"]]),
    ];
  }

  #makeManifest(): Manifest {
    const chance = this.#chance;
    const mediaType = "application/vnd.oci.image.manifest.v1+json";
    const [config, ...layers] = [chance.of(TEXTS), ...chance.some(TEXTS).slice(0, 1)];
    const describe = (text: string): object => ({
      mediaType: "x/y",
      digest: digestOf(text),
      size: text.length,
    });
    const subject = chance.below(3) === 0 ? chance.of(this.#digests) : undefined;
    const text = JSON.stringify({
      schemaVersion: 2,
      mediaType,
      config: describe(config ?? ""),
      layers: layers.map(describe),
      ...(subject !== undefined && { subject: { mediaType, digest: subject, size: 1 } }),
    });
    const digest = digestOf(text);
    if (!this.#digests.includes(digest) && this.#digests.length < 30) this.#digests.push(digest);
    return { text, digest, subject, blobs: [config ?? "", ...layers].map((one) => digestOf(one)) };
  }

  async #send(
    actor: Actor,
    scopes: Scopes | "catalog",
    request: { readonly method: string; readonly path: string; readonly body: string | undefined },
    expected: Expected,
  ): Promise<void> {
    const { method, path, body } = request;
    const headers = await this.#headersFor(actor, scopes);
    const init = { method, headers, ...(body !== undefined && { body: Buffer.from(body) }) };
    const answer = await this.#registry.fetch(new Request(`http://registry.test${path}`, init));
    const what = `${actor.name || "nobody"} ${method} ${path} with ${JSON.stringify(scopes)}`;
    const text = await answer.text();
    assert.equal(answer.status, expected.status, `${what}: ${text}`);
    const key = `${method} ${expected.status}`;
    this.answers.set(key, (this.answers.get(key) ?? 0) + 1);
    if (expected.body !== undefined) assert.equal(text, expected.body, what);
    if (expected.list !== undefined) assert.deepEqual(listIn(text), expected.list, what);
    if (expected.more !== undefined) assert.equal(answer.headers.has("link"), expected.more, what);
  }

  async #headersFor(actor: Actor, scopes: Scopes | "catalog"): Promise<Record<string, string>> {
    if (scopes === undefined) return this.#basicOf(actor);
    const list =
      scopes === "catalog"
        ? ["registry:catalog:*"]
        : scopes.map(([name, actions]) => `repository:${name}:${actions.join(",")}`);
    const scope = list.join(" ");
    const key = `${actor.name} ${scope}`;
    let token = this.#tokens.get(key);
    if (token === undefined) {
      const query = new URLSearchParams({ service: "registry.test", scope });
      const url = `http://registry.test/auth/token?${query.toString()}`;
      const answer = await this.#registry.fetch(new Request(url, { headers: this.#basicOf(actor) }));
      token = ((await answer.json()) as { token: string }).token;
      this.#tokens.set(key, token);
    }
    return { Authorization: `Bearer ${token}` };
  }

  #basicOf(actor: Actor): Record<string, string> {
    if (actor.anonymous) return {};
    const pair = `${actor.name}:${this.#secrets.get(actor.name)}`;
    return { Authorization: `Basic ${Buffer.from(pair).toString("base64")}` };
  }
}

function listIn(text: string): readonly string[] {
  const answer = JSON.parse(text) as {
    readonly tags?: string[];
    readonly repositories?: string[];
    readonly manifests?: { readonly digest: string }[];
  };
  return answer.tags ?? answer.repositories ?? (answer.manifests ?? []).map((one) => one.digest);
}

test("a plain model predicts every answer to twelve thousand random requests of several tenants, with collections in between", async () => {
  await using store = openSqliteAccessStore(":memory:");
  const secrets = new Map<string, string>();
  for (const name of ["alice", "bob"]) {
    await putUser(store, name, { password: new Secret(`secret of ${name}`), cost: 4 });
    secrets.set(name, `secret of ${name}`);
  }
  const own = [{ repositories: ["own/app"], actions: ["pull", "push", "delete"] }] as const;
  for (const [name, grants] of [
    ["b", []],
    ["own", own],
  ] as const) {
    const { login, secret } = await createRobot(store, name, { grants });
    secrets.set(login, secret.reveal());
  }
  await using access = await openAccess(CONFIG, { store });
  const time = { now: 1_000_000 };
  const clock = (): number => time.now;
  const blobs = new MemoryBlobStore({ now: clock });
  await using metadata = openSqliteMetadata(":memory:", { clock });
  await using registry = openRegistry({ blobs, metadata, access, clock, collection: { grace: GRACE } });
  const walk = new Walk(registry, secrets, { seed: SEED, clock: time });
  for (let step = 0; step < OPERATIONS; step++) await walk.step();
  assert.ok(walk.collected >= 50, `${walk.collected} blobs were collected`);
  time.now += 2 * GRACE;
  await walk.collect();
  const kept = (await Array.fromAsync(blobs.list())).map((blob) => blob.digest).toSorted();
  assert.deepEqual(kept, walk.content, "the store holds what is shown, and nothing else");
  // A walk that met few of these would prove little.
  const answers =
    "GET 200,GET 401,GET 403,GET 404,HEAD 200,HEAD 404,POST 201,POST 202,POST 401,POST 403," +
    "PUT 201,PUT 400,PUT 403,DELETE 202,DELETE 401,DELETE 403";
  for (const answer of answers.split(",")) {
    assert.ok((walk.answers.get(answer) ?? 0) >= 20, `${answer}: ${walk.answers.get(answer) ?? 0} times`);
  }
});
