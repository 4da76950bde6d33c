import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { parse } from "smol-toml";
import { ClientError } from "./errors.ts";
import { parseGoDuration } from "./hosts-duration.ts";
import { orderOfHostTables } from "./hosts-toml-order.ts";
import { type HostsTomlEntry, parseHostsToml } from "./hosts-toml.ts";

async function only(text: string): Promise<HostsTomlEntry> {
  const [entry] = (await parseHostsToml(text)) ?? [];
  assert.ok(entry);
  return entry;
}

const ORDERS: readonly (readonly [text: string, order: readonly string[]])[] = [
  ["", []],
  ['[host."b"]\n[host."a"]\n', ["b", "a"]],
  ['[host."b"]\n[host."b".header]\nx="1"\n[host."a"]\n[host."b".other]\n', ["b", "a", "b"]],
  ["  [ host . \"a\" ] # why\n[host.'b']\n[host.c-1]", ["a", "b", "c-1"]],
  ['[host."\\u0061"]', ["a"]],
  ['x = """\n[host."no"]\n"""\n[host."a"]', ["a"]],
  ["x = '''\n[host.\"no\"]\n'''\n[host.a]", ["a"]],
  ['x = """ends in two quotes"""""\n[host."a"]', ["a"]],
  ['x = [\n  "[host.no]",\n  ["a"], # ]\n]\n[host.a]', ["a"]],
  ['x = "a\\"[" # it\'s\n[host.a]\r\n[header]\r\n[host.b]', ["a", "b"]],
  ['[host]\n"https://no.test" = {}\n[[list.host]]\n[other.host]', []],
];

for (const [text, order] of ORDERS) {
  test(`orderOfHostTables() of ${JSON.stringify(text)}`, () =>
    assert.deepEqual(orderOfHostTables(text, parse), order));
}

const SERVERS: readonly (readonly [
  server: string,
  override: boolean,
  parts: readonly [string, string, string],
])[] = [
  ["r.test", false, ["https", "r.test", "/v2"]],
  ["http://r.test:5000", false, ["http", "r.test:5000", "/v2"]],
  ["https://r.test/", false, ["https", "r.test", "//v2"]],
  ["https://r.test/", true, ["https", "r.test", "/"]],
  ["https://r.test/a//b/", false, ["https", "r.test", "/a/b/v2"]],
  ["https://r.test/a/v2", false, ["https", "r.test", "/a/v2"]],
  ["https://r.test/%61", false, ["https", "r.test", "/a/v2"]],
  ["https://u:p@r.test", false, ["https", "r.test", "/v2"]],
  ["[::1]:5000", false, ["https", "[::1]:5000", "/v2"]],
  ["httpbin.local", false, ["", "", "httpbin.local/v2"]],
];

for (const [server, override, parts] of SERVERS) {
  test(`server ${server}${override ? " with override_path" : ""} is ${parts.join(" ")}`, async () => {
    const { scheme, host, path } = await only(`server = "${server}"\noverride_path = ${override}`);
    assert.deepEqual([scheme, host, path], parts);
  });
}

const WRONG: readonly string[] = [
  "server = 1",
  'server = "https://a b"',
  'server = "https://a.test:port"',
  'server = "https://a.test/%zz"',
  "server",
  "capabilities = 'pull'",
  "capabilities = ['divine']",
  "capabilities = [1]",
  "skip_verify = 'yes'",
  "override_path = 1",
  "dial_timeout = 3",
  "dial_timeout = '3'",
  "ca = [1]",
  "client = [['a','b','c']]",
  "client = [1]",
  "header = 'x'",
  "[header]\nx = [1]",
  "host = 1",
  "host.a = 1",
  "[host.a]\n[host.a]",
  "[[host]]",
  "[[host.a]]",
  "host = { a = { skip_verify = 1 } }",
];

for (const text of WRONG) {
  test(`${JSON.stringify(text)} is refused`, async () => {
    await assert.rejects(parseHostsToml(text), {
      code: "HOSTS_INVALID",
      message: /^Cannot read hosts.toml: /,
    });
  });
}

test("keys are found whatever their case, and relative files lie beside the file", async () => {
  const [entry] =
    (await parseHostsToml('Server = "r.test"\nCA = "ca.crt"\nclient = [["c", ""], ["/d", "e"]]', {
      directory: "/x/y",
    })) ?? [];
  assert.equal(entry?.host, "r.test");
  assert.deepEqual(entry?.ca, ["/x/y/ca.crt"]);
  assert.deepEqual(entry?.client, [
    ["/x/y/c", ""],
    ["/d", "/x/y/e"],
  ]);
});

test("parseGoDuration() reads what Go writes", () => {
  const table = {
    "3s": 3000,
    "1m30s": 90_000,
    "1.5h": 5_400_000,
    ".5s": 500,
    "-2ms": -2,
    "+1us": 0.001,
    "0": 0,
    "3": undefined,
    "": undefined,
    s: undefined,
    "1d": undefined,
    "1s ": undefined,
    "1.2.3s": undefined,
  };
  for (const [text, milliseconds] of Object.entries(table))
    assert.equal(parseGoDuration(text), milliseconds, text);
});

test("no text makes parseHostsToml() throw anything but its own error", async () => {
  const pieces = fc.constantFrom(
    "[host.",
    '"a"',
    "]",
    "[",
    "\n",
    "=",
    '"""',
    "'",
    "{",
    "}",
    "#",
    "ca",
    "\\",
    ".",
    "x",
  );
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        fc.array(pieces).map((all) => all.join("")),
      ),
      async (text) => {
        try {
          await parseHostsToml(text);
        } catch (error) {
          assert.ok(error instanceof ClientError, String(error));
        }
      },
    ),
  );
});
