import {
  CachingProvider,
  type DocumentProvider,
  type ProvidedDocument,
  ProvidersKeyring,
} from "../../../src/credentials/index.ts";
import type { Topic } from "../topic.ts";

interface Step {
  readonly op: "provide" | "lookup" | "sleepLifetime";
  readonly image?: string;
  readonly times?: number;
  readonly expectDelegateCalls?: number;
}

class Counting implements DocumentProvider {
  calls = 0;

  provide(): Promise<ProvidedDocument> {
    this.calls++;
    return Promise.resolve({ document: new Map(), origin: { kind: "file", label: "counted" } });
  }
}

export const topic: Topic = {
  async check(vector) {
    const lifetime = Number(vector["lifetimeSeconds"] ?? 0) * 1000;
    let now = 0;
    const delegate = new Counting();
    const caching = new CachingProvider(delegate, { now: () => now, lifetime });
    const keyring = new ProvidersKeyring([vector["kind"] === "cachingProvider" ? caching : delegate]);
    const actual: number[] = [];
    const expected: number[] = [];
    for (const { op, image = "", times = 1, expectDelegateCalls } of vector["steps"] as readonly Step[]) {
      if (op === "sleepLifetime") now += lifetime;
      else {
        for (let time = 0; time < times; time++) {
          await (op === "lookup" ? keyring.lookup(image) : caching.provide(image));
        }
      }
      if (expectDelegateCalls === undefined) continue;
      actual.push(delegate.calls);
      expected.push(expectDelegateCalls);
    }
    return { actual, expected };
  },
};
