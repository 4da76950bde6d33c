import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { loadTlsSettings } from "./tls-settings.ts";

/** Made for this test; nobody trusts it. */
const CERT = `-----BEGIN CERTIFICATE-----
MIIBfzCCASWgAwIBAgIUJec1w1AVWrA418tKvG1D3Vc44dQwCgYIKoZIzj0EAwIw
FDESMBAGA1UEAwwJZHJheSB0ZXN0MCAXDTI2MTEyMzA2MDMxMloYDzIxMjYxMDMw
MDYwMzEyWjAUMRIwEAYDVQQDDAlkcmF5IHRlc3QwWTATBgcqhkjOPQIBBggqhkjO
PQMBBwNCAATQNo1YXHJy2HSiW5NVzTUoCnQ3z/+Ga5p/JhlUhtiIK6kRbYeZ0a2R
EjBSKknKjWXw2Wn28Elo8wj9Jk4GnGyUo1MwUTAdBgNVHQ4EFgQUWII8unkPndUX
nx0sjlop/Y1QgsIwHwYDVR0jBBgwFoAUWII8unkPndUXnx0sjlop/Y1QgsIwDwYD
VR0TAQH/BAUwAwEB/zAKBggqhkjOPQQDAgNIADBFAiEAgEtzGdIjtel0de9oOUYn
E4ZjKFb4/sUPHEtKxPaiKHcCIBnI1SticO0wsVP3CxESu+LdzBYHIiCjz9VJPe4t
M0sI
-----END CERTIFICATE-----
`;
const KEY = `-----BEGIN PRIVATE KEY-----
MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgSM6lK99FUfset2FE
PqbPcOdYzEKA6B8C0bpf9IDANWKhRANCAATQNo1YXHJy2HSiW5NVzTUoCnQ3z/+G
a5p/JhlUhtiIK6kRbYeZ0a2REjBSKknKjWXw2Wn28Elo8wj9Jk4GnGyU
-----END PRIVATE KEY-----
`;

test("loadTlsSettings() reads what fits together and names the file that doesn't", async (t) => {
  const folder = await mkdtemp(join(tmpdir(), "dray-tls-"));
  t.after(() => rm(folder, { recursive: true }));
  const other = generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey;
  const files = {
    "ca.crt": CERT,
    "two.crt": `a comment\n${CERT}${CERT}`,
    "client.cert": CERT,
    "client.key": KEY,
    "both.pem": CERT + KEY,
    "other.key": other.export({ type: "pkcs8", format: "pem" }),
    "broken.crt": CERT.replace("MII", "AAA"),
    "text.crt": "hello",
  };
  for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text);
  const at = (name: string): string => join(folder, name);

  const loaded = await loadTlsSettings({
    ca: [at("ca.crt"), at("two.crt")],
    client: [
      [at("client.cert"), at("client.key")],
      [at("both.pem"), ""],
    ],
    skipVerify: false,
  });
  assert.deepEqual(loaded, {
    ca: [CERT, files["two.crt"]],
    client: [
      { cert: CERT, key: KEY },
      { cert: CERT + KEY, key: CERT + KEY },
    ],
    skipVerify: false,
  });
  assert.deepEqual(await loadTlsSettings({}), {});

  const fails = async (given: Parameters<typeof loadTlsSettings>[0], message: string): Promise<void> => {
    await assert.rejects(loadTlsSettings(given), { code: "HOSTS_INVALID", message });
  };
  await fails({ ca: [at("no.crt")] }, `Cannot read CA certificate "${at("no.crt")}": ENOENT`);
  await fails({ ca: [at("text.crt")] }, `Cannot use "${at("text.crt")}": no PEM certificate in it`);
  await fails({ ca: [at("broken.crt")] }, `Cannot use "${at("broken.crt")}": a certificate in it is broken`);
  await fails(
    { client: [[at("client.cert"), ""]] },
    `Cannot use "${at("client.cert")}": no readable private key in it`,
  );
  await fails(
    { client: [[at("client.cert"), at("other.key")]] },
    `Cannot use "${at("client.cert")}": the private key in "${at("other.key")}" belongs to another certificate`,
  );
});
