/** What users get: the packed package in an empty folder, with nothing of the checkout in reach. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import { after, describe, it } from "node:test";

import { ROOMS } from "../../scripts/rooms.ts";
import { serveRegistry } from "../../src/registry/index.ts";
import { writeSampleLayout } from "../interop/sample-images.ts";
import { attempt, ROOT, run } from "../processes.ts";

const UNREACHABLE = /\b(ENOTFOUND|EAI_AGAIN|ECONNREFUSED|ECONNRESET|ETIMEDOUT|ENETUNREACH|ENOTCACHED)\b/;

const subpaths = ["errors", ...Object.keys(ROOMS)];
const version = (JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8")) as { readonly version: string })
  .version;

/** Without what `npm test` tells its children about the checkout; "node" and "npx" are the ones running this. */
const env: NodeJS.ProcessEnv = {
  ...Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^(npm_|INIT_CWD$|NODE_)/.test(name)),
  ),
  NODE_EXTRA_CA_CERTS: process.env["NODE_EXTRA_CA_CERTS"],
  PATH: `${dirname(process.execPath)}${delimiter}${process.env["PATH"] ?? ""}`,
};

describe("the packed package", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dray-package-"));
  const app = join(folder, "app");
  after(() => rmSync(folder, { recursive: true, force: true }));

  mkdirSync(app);
  writeFileSync(
    join(app, "package.json"),
    '{ "name": "app", "version": "1.0.0", "private": true, "type": "module" }\n',
  );
  // A busy machine takes its time to build all of it.
  const patient = { timeout: 590_000 };
  const obstacle = await install();

  /** Packs and installs; says why it can't when that isn't the package's fault. */
  async function install(): Promise<string | undefined> {
    if ((await attempt("npm", ["--version"], { env })).status !== 0) return "npm is not here";
    await run("npm", ["pack", "--silent", "--pack-destination", folder], { cwd: ROOT, env, ...patient });
    const tarball = join(folder, `dray-${version}.tgz`);
    const installed = await attempt(
      "npm",
      ["install", "--prefer-offline", "--no-audit", "--no-fund", "--omit=dev", tarball],
      { cwd: app, env, ...patient },
    );
    if (installed.status === 0) return undefined;
    if (UNREACHABLE.test(installed.stderr)) return "npm can't reach a package registry";
    throw new Error(`The package does not install:\n${installed.stderr}`);
  }

  it("prints its version through npx", { skip: obstacle }, async () => {
    assert.equal(await run("npx", ["--no-install", "dray", "--version"], { cwd: app, env }), version);
  });

  it("pulls an image from a registry, as a program of its own", { skip: obstacle }, async () => {
    const layout = await writeSampleLayout(join(folder, "layout"));
    await using registry = await serveRegistry({ dir: join(folder, "registry"), port: 0 });
    const image = `127.0.0.1:${registry.port}/team/sample:multi`;
    const settings = {
      cwd: app,
      env: { ...env, HOME: join(folder, "home"), XDG_DATA_HOME: join(folder, "data") },
    };
    const npx = async (...args: readonly string[]): Promise<string> =>
      await run("npx", ["--no-install", "dray", ...args], settings);
    await npx("copy", "--all-platforms", `oci:${layout.folder}:multi`, image);
    assert.equal(await npx("pull", image), `${image}@${layout.digests.multi}`);
    assert.match(await npx("images"), /team\/sample/);
  });

  it("is imported room by room from plain JavaScript", { skip: obstacle }, async () => {
    const script = [
      `const names = ${JSON.stringify(subpaths)};`,
      "const counts = {};",
      "for (const name of names) counts[name] = Object.keys(await import(`dray/${name}`)).length;",
      "console.log(JSON.stringify(counts));",
    ].join("\n");
    writeFileSync(join(app, "imports.mjs"), script);
    const counts = JSON.parse(await run(process.execPath, ["imports.mjs"], { cwd: app, env })) as Record<
      string,
      number
    >;
    assert.deepEqual(Object.keys(counts), subpaths);
    assert.deepEqual(
      subpaths.filter((name) => (counts[name] ?? 0) === 0),
      [],
      "each room exports something",
    );
  });

  it("has no root to import, so that an import says which room it enters", { skip: obstacle }, async () => {
    const ended = await attempt(process.execPath, ["--input-type=module", "-e", 'import "dray";'], {
      cwd: app,
      env,
    });
    assert.notEqual(ended.status, 0);
    assert.match(ended.stderr, /ERR_PACKAGE_PATH_NOT_EXPORTED/);
  });

  it(
    "is imported room by room from TypeScript under nodenext, library checks included",
    { skip: obstacle },
    async () => {
      const imports = subpaths.map((name) => `import * as ${name} from "dray/${name}";`);
      const uses = [
        'const digest: oci.Digest = oci.parseDigest(`sha256:${"0".repeat(64)}`);',
        "export const seen: readonly unknown[] = [digest, ",
        `${subpaths.join(", ")}];`,
      ];
      writeFileSync(join(app, "imports.ts"), [...imports, ...uses, ""].join("\n"));
      const options = {
        module: "nodenext",
        target: "es2024",
        strict: true,
        noEmit: true,
        skipLibCheck: false,
      };
      // The types of Connect, behind dray/cri, speak of the platform's fetch as browsers call it.
      const lib = ["es2024", "esnext.disposable", "dom", "dom.iterable"];
      writeFileSync(
        join(app, "tsconfig.json"),
        JSON.stringify({ compilerOptions: { ...options, lib, types: ["node"] }, files: ["imports.ts"] }),
      );
      mkdirSync(join(app, "node_modules", "@types"), { recursive: true });
      for (const name of ["@types/node", "undici-types"]) {
        symlinkSync(join(ROOT, "node_modules", name), join(app, "node_modules", name));
      }
      const compiler = join(ROOT, "node_modules", "typescript", "bin", "tsc");
      const checked = await attempt(process.execPath, [compiler, "-p", app], { cwd: app, env });
      assert.equal(checked.stdout + checked.stderr, "");
      assert.equal(checked.status, 0);
    },
  );
});
