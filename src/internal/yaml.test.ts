import assert from "node:assert/strict";
import { describe, it } from "node:test";

import { formatYaml, yaml } from "./yaml.ts";

describe("formatYaml()", () => {
  it("leaves nothing bare that a reader takes for the end of a line, or doesn't take at all", () => {
    const characters = ["\u007f", "\u0080", "\u0085", "\u009f", "\u2028", "\u2029", "\ufeff", "\uffff"];
    for (const character of characters) {
      for (const text of [
        `a${character}b`,
        character,
        `a${character}: "b"\\`,
        `first\n${character}\nlast, and more than fits in a line of forty\n`,
      ]) {
        const value = { [text]: [text, "plain"], plain: { text } };
        const written = formatYaml(value);
        assert.ok(!written.includes(character), JSON.stringify(text));
        assert.match(written, /- plain\n/);
        for (const version of ["1.1", "1.2"] as const) {
          assert.deepEqual(yaml().parse(written, { version }), value, `${JSON.stringify(text)} ${version}`);
        }
      }
    }
  });

  it("leaves other texts as they are", () => {
    assert.equal(formatYaml({ a: "é ☃ 😀", b: "one\ntwo\n" }), "a: é ☃ 😀\nb: |\n  one\n  two\n");
    assert.equal(
      formatYaml({ a: "yes", b: "2026-01-01", c: "1e3" }),
      'a: "yes"\nb: "2026-01-01"\nc: "1e3"\n',
    );
  });
});
