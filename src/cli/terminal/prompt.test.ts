import assert from "node:assert/strict";
import { test } from "node:test";

import type { CommandContext } from "../context.ts";
import { GivenUp } from "../errors.ts";
import { INTERRUPTED, run } from "../run.ts";
import { createMemoryContext } from "../testing.ts";
import { Prompt } from "./prompt.ts";

function terminal(...typed: string[]): { context: CommandContext; modes: boolean[]; said: () => string } {
  const modes: boolean[] = [];
  const memory = createMemoryContext();
  const stdin = {
    isTTY: true,
    setRawMode: (on: boolean) => void modes.push(on),
    async *[Symbol.asyncIterator]() {
      for (const text of typed) yield Buffer.from(text);
    },
  };
  return { context: { ...memory, stdin }, modes, said: () => memory.stderr.text };
}

test("a prompt reads line after line, typed ahead, key by key or at once", async () => {
  const { context, modes, said } = terminal("me\ns3", "cx\u007fret\r");
  const prompt = new Prompt(context);
  assert.equal(await prompt.ask("Username: "), "me");
  assert.equal(await prompt.ask("Password: ", { hidden: true }), "s3cret");
  assert.deepEqual(modes, [true, false]);
  assert.equal(said(), "Username: Password: \n");
});

test("a prompt leaves the terminal as it was at the end of input, and when it is given up with Ctrl-C", async () => {
  const ended = terminal("");
  assert.equal(await new Prompt(ended.context).ask("Password: ", { hidden: true }), undefined);
  const givenUp = terminal("abc\u0003");
  await assert.rejects(new Prompt(givenUp.context).ask("Password: ", { hidden: true }), GivenUp);
  for (const { modes } of [ended, givenUp]) assert.deepEqual(modes, [true, false]);
});

test("a command that is given up at a question says nothing more", async () => {
  const { context, said } = terminal("abc\u0003");
  assert.equal(await run(["login", "--username", "me", "registry.example"], context), INTERRUPTED);
  assert.equal(said(), "Password: \n");
});
