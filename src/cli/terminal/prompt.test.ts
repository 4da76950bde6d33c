import assert from "node:assert/strict";
import { test } from "node:test";

import type { CommandContext } from "../context.ts";
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

test("a prompt given up with Ctrl-C or at the end of input answers nothing, and leaves the terminal as it was", async () => {
  for (const typed of ["abc\u0003", ""]) {
    const { context, modes } = terminal(typed);
    assert.equal(await new Prompt(context).ask("Password: ", { hidden: true }), undefined);
    assert.deepEqual(modes, [true, false]);
  }
});
