import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";

import { loadCommands } from "./catalogue.ts";
import { SHELLS, formatCompletion } from "./completion.ts";

test("completion scripts name every command and option", async () => {
  const commands = await loadCommands();
  for (const shell of SHELLS) {
    const script = formatCompletion(shell, commands);
    for (const command of commands) {
      for (const word of command.name.split(" "))
        assert.ok(script.includes(word), `${shell} ${command.name}`);
      for (const name of Object.keys(command.options)) {
        assert.ok(script.includes(shell === "fish" ? `-l ${name}` : `--${name}`), `${shell} --${name}`);
      }
    }
  }
});

function complete(line: string, script: string): string[] {
  const words = line.split(" ");
  const program = `${script}
COMP_WORDS=(${words.map((word) => `'${word}'`).join(" ")})
COMP_CWORD=${words.length - 1}
_dray
printf '%s\\n' "\${COMPREPLY[@]}"`;
  const { stdout, status } = spawnSync("bash", ["--norc", "-c", program], { encoding: "utf8" });
  assert.equal(status, 0);
  return stdout.split("\n").filter((word) => word !== "");
}

const hasBash = spawnSync("bash", ["-c", "type complete compgen"]).status === 0;

test("bash completes commands, options and choices", { skip: !hasBash }, async () => {
  const script = formatCompletion("bash", await loadCommands());
  assert.deepEqual(complete("dray pu", script), ["pull", "push", "pulls"]);
  assert.deepEqual(complete("dray pull --pl", script), ["--platform", "--plain-http"]);
  assert.deepEqual(complete("dray save --format ", script), ["oci", "docker"]);
  assert.deepEqual(complete("dray registry st", script), ["status"]);
  assert.deepEqual(complete("dray registry status --large", script), ["--largest"]);
});
