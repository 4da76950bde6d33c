/**
 * How `dray registry status` asks a registry that runs: over a socket that only its owner can open, in the storage
 * folder, one for each process that serves it.
 *
 * ```text
 * control/<pid>.sock    answers HTTP: GET /status, POST /reload
 * control/<pid>.path    where it is instead, when the folder's own path is too long for a socket
 * ```
 */
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer, request } from "node:http";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { makeFolder } from "../../internal/make-folder.ts";

export interface ControlHandlers {
  readonly status: () => unknown;
  readonly reload: () => Promise<unknown>;
}

/** The kernel's bound for the path of a socket, less its end. */
const MAX_PATH = 100;
const TIMEOUT = 5_000;

/** Listens until it is disposed of. @throws the system's error */
export async function openControlSocket(folder: string, handlers: ControlHandlers): Promise<AsyncDisposable> {
  const control = join(folder, "control");
  makeFolder(control, { mode: 0o700 });
  await removeStale(control);
  const own = join(control, `${process.pid}.sock`);
  const { path, cleanUp } = own.length <= MAX_PATH ? placeAt(own) : placeElsewhere(control);
  const server = createServer((incoming, response) => {
    void answer(`${incoming.method} ${incoming.url}`, handlers).then(({ status, body }) => {
      response.writeHead(status, { "content-type": "application/json", connection: "close" });
      response.end(JSON.stringify(body));
    });
  });
  await new Promise<void>((resolve, reject) => {
    server.once("error", reject);
    server.listen(path, resolve);
  });
  chmodSync(path, 0o600);
  return {
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
      cleanUp();
    },
  };
}

/** Asks every process that serves a folder; those that ended without a word are left out. */
export async function askControlSockets(
  folder: string,
  question: "GET /status" | "POST /reload",
): Promise<readonly unknown[]> {
  const answers = await Promise.all(
    listSockets(join(folder, "control")).map(({ path }) => ask(path, question)),
  );
  return answers.filter((one) => one !== undefined);
}

function placeAt(path: string): { readonly path: string; readonly cleanUp: () => void } {
  return { path, cleanUp: () => rmSync(path, { force: true }) };
}

function placeElsewhere(control: string): { readonly path: string; readonly cleanUp: () => void } {
  const path = join(mkdtempSync(join(tmpdir(), "dray-")), "control.sock");
  const pointer = join(control, `${process.pid}.path`);
  writeFileSync(pointer, path, { mode: 0o600 });
  return {
    path,
    cleanUp: () => {
      rmSync(dirname(path), { recursive: true, force: true });
      rmSync(pointer, { force: true });
    },
  };
}

async function answer(
  question: string,
  handlers: ControlHandlers,
): Promise<{ readonly status: number; readonly body: unknown }> {
  try {
    if (question === "GET /status") return { status: 200, body: handlers.status() };
    if (question === "POST /reload") return { status: 200, body: await handlers.reload() };
    return { status: 404, body: {} };
  } catch (error) {
    return { status: 500, body: { error: error instanceof Error ? error.message : String(error) } };
  }
}

function listSockets(control: string): readonly { readonly file: string; readonly path: string }[] {
  let names: readonly string[];
  try {
    names = readdirSync(control);
  } catch {
    return [];
  }
  return names.flatMap((name) => {
    const file = join(control, name);
    if (/^\d+\.sock$/.test(name)) return [{ file, path: file }];
    if (!/^\d+\.path$/.test(name)) return [];
    try {
      return [{ file, path: readFileSync(file, "utf8") }];
    } catch {
      return [];
    }
  });
}

/** A process that was killed leaves its socket behind, and its number may be another's by now. */
async function removeStale(control: string): Promise<void> {
  for (const { file, path } of listSockets(control)) {
    if (await isDeserted(path)) rmSync(file, { force: true });
  }
}

/** Not who is slow to answer: the system takes connections for them, and for nobody who ended. */
function isDeserted(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(path, () => {
      socket.destroy();
      resolve(false);
    });
    socket.on("error", ({ code }: NodeJS.ErrnoException) =>
      resolve(code === "ECONNREFUSED" || code === "ENOENT"),
    );
  });
}

function ask(path: string, question: string): Promise<unknown> {
  const [method = "GET", url = "/"] = question.split(" ");
  return new Promise((resolve) => {
    const outgoing = request({ socketPath: path, method, path: url, timeout: TIMEOUT }, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8");
      incoming.on("data", (chunk: string) => (text += chunk));
      incoming.on("end", () => resolve(parse(text)));
      incoming.on("error", () => resolve(undefined));
    });
    outgoing.on("timeout", () => outgoing.destroy());
    outgoing.on("error", () => resolve(undefined));
    outgoing.end();
  });
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
