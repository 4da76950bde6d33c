import assert from "node:assert/strict";
import { test } from "node:test";
import { chooseScheme, defaultHost, matchLocalhost } from "./default-host.ts";

const LOCAL: Readonly<Record<string, boolean>> = {
  localhost: true,
  "localhost:5000": true,
  "localhost:": false,
  Localhost: false,
  "127.255.0.1:80": true,
  "127.0.0": false,
  "[::1]": true,
  "[::1]:5000": true,
  "[0:0:0:0:0:0:0:1]:5000": true,
  "[::ffff:127.0.0.1]:5000": true,
  "[::ffff:10.0.0.1]:5000": false,
  "[::1%lo]:5000": false,
  "::1": true,
  "::2": false,
  "1:2:3": false,
  "10.0.0.1": false,
  "localhost.example.test": false,
  "": false,
};

for (const [host, local] of Object.entries(LOCAL)) {
  test(`"${host}" is ${local ? "" : "not "}this machine`, () => assert.equal(matchLocalhost(host), local));
}

test("certificates of this machine aren't checked, unless the caller chose the scheme", () => {
  assert.equal(defaultHost("localhost:5000").skipVerify, true);
  assert.equal(defaultHost("localhost:80").skipVerify, false);
  assert.equal(defaultHost("localhost:5000", { defaultScheme: "https" }).skipVerify, false);
  assert.equal(defaultHost("r.test:5000").skipVerify, false);
});

test("http with TLS settings means https first, but for port 80", () => {
  const choose = (host: string, explicitTls: boolean): string => {
    const { scheme, httpFallback } = chooseScheme({ scheme: "http", host, explicitTls });
    return `${scheme}${httpFallback ? " then http" : ""}`;
  };
  assert.equal(choose("r.test", true), "https then http");
  assert.equal(choose("r.test:8080", true), "https then http");
  assert.equal(choose("r.test:80", true), "http");
  assert.equal(choose("[::1]:80", true), "http");
  assert.equal(choose("r.test", false), "http");
});
