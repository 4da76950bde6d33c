/** Debian's docker-registry 2.8 on a free loopback port: with htpasswd, over TLS with a private authority, or plain. */
import { randomInt } from "node:crypto";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { connect, createServer } from "node:net";
import { join } from "node:path";

import { run, start, type Started } from "../processes.ts";
import { findPeer } from "./peers.ts";

/** Below those that Linux gives to whoever asks for any. */
const [FIRST_PORT, LAST_PORT] = [12_000, 32_000];

export interface DockerRegistry extends AsyncDisposable {
  /** `127.0.0.1:PORT`. */
  readonly host: string;
  readonly process: Started;
}

export interface DockerRegistryOptions {
  readonly user?: { readonly name: string; readonly password: string };
  readonly tls?: Certificates;
}

/** `folder` will hold its content; it may have been used by an earlier one. */
export async function startDockerRegistry(
  folder: string,
  options: DockerRegistryOptions = {},
): Promise<DockerRegistry> {
  const program = findPeer("docker-registry");
  if (program === undefined) throw new Error("docker-registry is not here");
  mkdirSync(folder, { recursive: true });
  const port = await findFreePort();
  const lines = [
    "version: 0.1",
    // Quiet: at other levels it writes a line for every request, which costs it a third of its speed.
    "log: { level: error, accesslog: { disabled: true } }",
    `storage: { filesystem: { rootdirectory: ${JSON.stringify(join(folder, "data"))} }, delete: { enabled: true } }`,
    "http:",
    `  addr: "127.0.0.1:${port}"`,
  ];
  if (options.tls !== undefined) {
    const { cert, key } = options.tls;
    lines.push(`  tls: { certificate: ${JSON.stringify(cert)}, key: ${JSON.stringify(key)} }`);
  }
  if (options.user !== undefined) {
    const { name, password } = options.user;
    const htpasswd = findPeer("htpasswd");
    if (htpasswd === undefined) throw new Error("htpasswd is not here");
    const path = join(folder, "htpasswd");
    writeFileSync(path, `${await run(htpasswd, ["-niB", name], { input: password })}\n`);
    lines.push(`auth: { htpasswd: { realm: dray, path: ${JSON.stringify(path)} } }`);
  }
  const config = join(folder, "config.yml");
  writeFileSync(config, `${lines.join("\n")}\n`);
  const process = start(program, ["serve", config]);
  await untilListening(port, process);
  return { host: `127.0.0.1:${port}`, process, [Symbol.asyncDispose]: async () => await process.stop() };
}

/**
 * A port nobody listens on now, and that nobody is given who asks the system for any: until the program that it is
 * for listens, one of those could go to another test.
 */
export async function findFreePort(): Promise<number> {
  for (let attempts = 0; attempts < 1_000; attempts++) {
    const port = randomInt(FIRST_PORT, LAST_PORT);
    if (await isFree(port)) return port;
  }
  throw new Error("Cannot find a free port");
}

async function isFree(port: number): Promise<boolean> {
  const server = createServer();
  const free = await new Promise<boolean>((resolve) => {
    server.once("error", () => resolve(false));
    server.listen(port, "127.0.0.1", () => resolve(true));
  });
  if (free) await new Promise<void>((resolve) => server.close(() => resolve()));
  return free;
}

/** Resolves when something accepts connections; fails when the program that should ends. */
export async function untilListening(port: number, program: Started): Promise<void> {
  let ended: Error | undefined;
  program.waitFor(/$never/).catch((error: Error) => (ended = error));
  for (;;) {
    const accepted = await new Promise<boolean>((resolve) => {
      const socket = connect(port, "127.0.0.1");
      socket.on("connect", () => resolve(true)).on("error", () => resolve(false));
      socket.on("connect", () => socket.destroy());
    });
    if (accepted) return;
    if (ended !== undefined) throw ended;
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** Paths of PEM files. */
export interface Certificates {
  /** The private authority that signed it. */
  readonly ca: string;
  readonly cert: string;
  readonly key: string;
  /** The authority's text. */
  readonly caText: string;
}

/** A private authority and a certificate by it for 127.0.0.1 and localhost, by openssl. */
export async function makeCertificates(folder: string): Promise<Certificates> {
  mkdirSync(folder, { recursive: true });
  const path = (name: string): string => join(folder, name);
  const openssl = async (line: string): Promise<string> =>
    await run("openssl", line.split(" "), { cwd: folder });
  const create = "req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes";
  await openssl(
    `${create} -x509 -keyout ca.key -out ca.crt -days 2 -subj /CN=dray -addext keyUsage=keyCertSign`,
  );
  await openssl(`${create} -keyout server.key -out server.csr -subj /CN=localhost`);
  writeFileSync(
    path("server.ext"),
    "subjectAltName=IP:127.0.0.1,DNS:localhost\nextendedKeyUsage=serverAuth\n",
  );
  await openssl(
    "x509 -req -in server.csr -out server.crt -days 2 -CA ca.crt -CAkey ca.key -CAcreateserial -extfile server.ext",
  );
  return {
    ca: path("ca.crt"),
    cert: path("server.crt"),
    key: path("server.key"),
    caText: readFileSync(path("ca.crt"), "utf8"),
  };
}
