import assert from "node:assert/strict";
import { test } from "node:test";

import { digestOf, TestResolver, TestTime } from "../testing.ts";
import { DigestMemory, type DigestMemoryOptions, type Knowledge } from "./digest-memory.ts";
import type { DigestAnswer, DigestQuestion } from "./digest-resolver.ts";

const QUESTION: DigestQuestion = {
  image: "docker.io/library/app:1",
  namespace: "shop",
  imagePullSecrets: ["pull"],
  serviceAccountName: "default",
};
const DOWN = { failure: { code: "UNREACHABLE", message: "nobody answers" } } as const;
const DENIED = { failure: { code: "DENIED", message: "access denied" } } as const;

function setUp(options: Partial<DigestMemoryOptions> = {}): {
  readonly time: TestTime;
  readonly resolver: TestResolver;
  readonly memory: DigestMemory;
} {
  const time = new TestTime();
  const resolver = new TestResolver(() => ({ digest: digestOf("a") }));
  const memory = new DigestMemory({
    resolver,
    now: time.now,
    startTimer: time.startTimer,
    ttl: 100,
    stale: 1000,
    keep: 10_000,
    pause: 50,
    questionTimeout: 500,
    ...options,
  });
  return { time, resolver, memory };
}

function learn(
  memory: DigestMemory,
  question = QUESTION,
  deadline: AbortSignal = new AbortController().signal,
): Promise<Knowledge> {
  return memory.learn(question, { deadline });
}

/** Lets what was started run as far as it can without time. */
async function settle(): Promise<void> {
  for (let round = 0; round < 10; round++) await Promise.resolve();
}

test("a fresh answer is not asked for again", async () => {
  const { memory, resolver, time } = setUp();
  assert.deepEqual(await learn(memory), { digest: digestOf("a"), age: 0 });
  time.advance(99);
  assert.deepEqual(memory.find(QUESTION), { digest: digestOf("a"), age: 99 });
  assert.equal(resolver.asked.length, 1);
});

test("an old answer is given while it is asked for again", async () => {
  const { memory, resolver, time } = setUp();
  await learn(memory);
  time.advance(100);
  resolver.answer = () => ({ digest: digestOf("b") });
  assert.equal(memory.find(QUESTION)?.digest, digestOf("a"));
  assert.equal(resolver.asked.length, 2);
  await settle();
  assert.deepEqual(memory.find(QUESTION), { digest: digestOf("b"), age: 0 });
  assert.equal(resolver.asked.length, 2);
});

test("an answer too old to be given counts only where nobody answers", async () => {
  const { memory, resolver, time } = setUp();
  await learn(memory);
  time.advance(1100);
  assert.equal(memory.find(QUESTION), undefined);
  resolver.answer = () => DOWN;
  assert.deepEqual(await learn(memory), { ...DOWN, lastKnown: { digest: digestOf("a"), age: 1100 } });
  time.advance(8900);
  assert.deepEqual(await learn(memory), { ...DOWN, lastKnown: undefined });
});

test("a tag that is gone is forgotten", async () => {
  const { memory, resolver, time } = setUp();
  await learn(memory);
  time.advance(150);
  resolver.answer = () => DENIED;
  assert.equal(memory.find(QUESTION)?.digest, digestOf("a"));
  await settle();
  assert.equal(memory.find(QUESTION), undefined);
  assert.deepEqual(await learn(memory), { ...DENIED, lastKnown: undefined });
});

test("the same question of the same Pod is asked once at a time", async () => {
  const { memory, resolver } = setUp();
  await Promise.all([learn(memory), learn(memory), learn(memory)]);
  assert.equal(resolver.asked.length, 1);
});

const OTHERS: readonly Partial<DigestQuestion>[] = [
  { namespace: "bank" },
  { imagePullSecrets: [] },
  { imagePullSecrets: ["pull", "more"] },
  { serviceAccountName: "robot" },
  { image: "docker.io/library/app:2" },
];

test("nobody learns a digest by another's credentials, neither later nor meanwhile", async () => {
  for (const change of OTHERS) {
    const { memory, resolver } = setUp();
    resolver.answer = (question) =>
      question === QUESTION ? { digest: digestOf("a") } : { failure: DENIED.failure };
    const other = { ...QUESTION, ...change };
    const [own, refused] = await Promise.all([learn(memory), learn(memory, other)]);
    assert.equal(own.failure, undefined);
    assert.deepEqual(refused, { ...DENIED, lastKnown: undefined }, JSON.stringify(change));
    assert.equal(memory.find(other), undefined);
    assert.equal(memory.find(QUESTION)?.digest, digestOf("a"));
  }
});

test("what was found without anybody's credentials is everybody's", async () => {
  const { memory, resolver, time } = setUp();
  resolver.answer = () => ({ digest: digestOf("a"), openToAll: true });
  await learn(memory);
  const other = { ...QUESTION, namespace: "bank", imagePullSecrets: [] };
  assert.equal(memory.find(other)?.digest, digestOf("a"));
  time.advance(150);
  resolver.answer = () => DENIED;
  assert.equal(memory.find(other)?.digest, digestOf("a"));
  await settle();
  assert.equal(memory.find(other), undefined, "it became private");
  assert.equal(memory.find(QUESTION), undefined);
});

test("a registry that could not be asked is left alone for a while", async () => {
  const { memory, resolver, time } = setUp();
  resolver.answer = () => DOWN;
  await learn(memory);
  time.advance(49);
  await learn(memory);
  assert.equal(resolver.asked.length, 1);
  time.advance(1);
  await learn(memory);
  assert.equal(resolver.asked.length, 2);
});

test("what a person can mend is asked again at once", async () => {
  const { memory, resolver } = setUp();
  resolver.answer = () => DENIED;
  await learn(memory);
  resolver.answer = () => ({ digest: digestOf("a") });
  assert.deepEqual(await learn(memory), { digest: digestOf("a"), age: 0 });
});

test("who can't wait longer gives up, and the answer is kept for the next one", async () => {
  const { memory, resolver } = setUp();
  const late = Promise.withResolvers<DigestAnswer>();
  resolver.resolve = () => late.promise;
  const deadline = new AbortController();
  const waiting = learn(memory, QUESTION, deadline.signal);
  deadline.abort();
  assert.equal((await waiting).failure?.code, "TIMEOUT");
  late.resolve({ digest: digestOf("c") });
  await settle();
  assert.equal(memory.find(QUESTION)?.digest, digestOf("c"));
});

test("who has no deadline waits for so long and no longer", async () => {
  const { memory, resolver, time } = setUp({ patience: 200 });
  resolver.answer = () => undefined;
  const waiting = memory.learn(QUESTION);
  time.advance(200);
  assert.equal((await waiting).failure?.message, "the registry has not answered yet");
  resolver.answer = () => ({ digest: digestOf("a") });
  time.advance(300);
  await settle();
  time.advance(50);
  await memory.learn(QUESTION);
  assert.equal(time.running, 0, "timers are called off");
});

test("a question ends after its own time, and its timer with it", async () => {
  const { memory, resolver, time } = setUp();
  resolver.answer = () => undefined;
  const waiting = learn(memory);
  assert.equal(time.running, 1);
  time.advance(500);
  assert.deepEqual(await waiting, {
    failure: { code: "TIMEOUT", message: "the registry did not answer in time" },
    lastKnown: undefined,
  });
  assert.equal(time.running, 0);
});

test("a resolver that breaks is told of, and taken for a registry that can't be asked", async () => {
  const errors: unknown[] = [];
  const { memory, resolver } = setUp({ onError: (error) => errors.push(error) });
  resolver.resolve = async () => {
    throw new Error("broken");
  };
  assert.equal((await learn(memory)).failure?.code, "UNREACHABLE");
  assert.equal(errors.length, 1);
});

test("the oldest answers make room", async () => {
  const { memory } = setUp({ capacity: 2 });
  const questions = ["1", "2", "3"].map((tag) => ({ ...QUESTION, image: `docker.io/library/app:${tag}` }));
  for (const question of questions) await learn(memory, question);
  assert.deepEqual(
    questions.map((question) => memory.find(question) !== undefined),
    [false, true, true],
  );
});

test("closing ends questions under way", async () => {
  const { memory, resolver, time } = setUp();
  resolver.answer = () => undefined;
  const waiting = learn(memory);
  await memory.close();
  assert.equal((await waiting).failure?.code, "TIMEOUT");
  assert.equal(time.running, 0);
});
