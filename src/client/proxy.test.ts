import assert from "node:assert/strict";
import { test } from "node:test";
import { selectProxy } from "./proxy.ts";

const PROXY = "http://proxy.test:3128";

function select(url: string, env: Record<string, string>): string | undefined {
  return selectProxy(new URL(url), env)?.href;
}

test("selectProxy() takes the variable of the URL's scheme, upper case first", () => {
  assert.equal(select("https://r.test/", { HTTPS_PROXY: PROXY }), `${PROXY}/`);
  assert.equal(select("https://r.test/", { https_proxy: PROXY }), `${PROXY}/`);
  assert.equal(select("https://r.test/", { HTTP_PROXY: PROXY }), undefined);
  assert.equal(
    select("http://r.test/", { HTTP_PROXY: "proxy.test:3128", http_proxy: "no.test" }),
    `${PROXY}/`,
  );
  assert.equal(select("https://r.test/", { HTTPS_PROXY: "", https_proxy: PROXY }), `${PROXY}/`);
  assert.equal(select("https://r.test/", {}), undefined);
});

test("selectProxy() doesn't let a web request choose the proxy", () => {
  const env = { REQUEST_METHOD: "GET", HTTP_PROXY: "http://evil.test" };
  assert.equal(select("http://r.test/", env), undefined);
  assert.equal(select("http://r.test/", { ...env, http_proxy: PROXY }), `${PROXY}/`);
});

const NO_PROXY: readonly (readonly [rule: string, url: string, direct: boolean])[] = [
  ["", "https://r.test/", false],
  ["*", "https://r.test/", true],
  ["r.test", "https://r.test/", true],
  ["R.Test", "https://a.r.test/", true],
  ["r.test", "https://xr.test/", false],
  [".r.test", "https://r.test/", false],
  [".r.test", "https://a.r.test/", true],
  ["*.r.test", "https://a.r.test/", true],
  ["*.r.test", "https://r.test/", false],
  ["r.test:443", "https://r.test/", true],
  ["r.test:8443", "https://r.test/", false],
  ["r.test:5000", "https://r.test:5000/", true],
  [":443", "https://r.test/", false],
  ["a.test, r.test", "https://r.test/", true],
  ["10.0.0.1", "https://10.0.0.1/", true],
  ["10.0.0.1:5000", "https://10.0.0.1/", false],
  ["10.0.0.0/8", "https://10.200.0.1/", true],
  ["10.0.0.0/8", "https://11.0.0.1/", false],
  ["10.0.0.0/99", "https://10.0.0.1/", false],
  ["fd00::/8", "https://[fd00::1]/", true],
  ["fd00::1", "https://[fd00::1]:5000/", true],
  ["[fd00::1]:5000", "https://[fd00::1]:5000/", true],
  ["[fd00::1]:5001", "https://[fd00::1]:5000/", false],
  ["fd00::0:1", "https://[fd00::1]/", true],
];

for (const [rule, url, direct] of NO_PROXY) {
  test(`NO_PROXY="${rule}" sends ${url} ${direct ? "directly" : "through the proxy"}`, () => {
    assert.equal(select(url, { HTTPS_PROXY: PROXY, NO_PROXY: rule }), direct ? undefined : `${PROXY}/`);
    assert.equal(select(url, { HTTPS_PROXY: PROXY, no_proxy: rule }), direct ? undefined : `${PROXY}/`);
  });
}

test("this machine is never reached through a proxy", () => {
  for (const host of ["localhost:5000", "127.0.0.1", "127.9.9.9:80", "[::1]:5000"]) {
    assert.equal(select(`https://${host}/`, { HTTPS_PROXY: PROXY }), undefined);
  }
});

test("a proxy that is no URL is an error without the value in it", () => {
  for (const value of ["http://user:hunter2@[", "socks5://user:hunter2@proxy.test"]) {
    assert.throws(
      () => select("https://r.test/", { HTTPS_PROXY: value }),
      (error: Error & { code: string }) =>
        error.code === "PROXY_FAILED" && !error.message.includes("hunter2"),
    );
  }
});
