/**
 * What more connections for a large blob are worth: one blob from a registry on this machine, as fast as it goes and
 * with so many bytes a second for each connection, as long ways and storage services have it.
 */
import { randomBytes } from "node:crypto";
import { createServer, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { setTimeout as wait } from "node:timers/promises";

import { ConfiguredHosts, RegistryClient, type RegistryClientOptions } from "../src/client/index.ts";
import { type Descriptor, digestOf, MEDIA_TYPES } from "../src/oci/index.ts";
import { openMemoryStore } from "../src/store/index.ts";
import type { Bench } from "./bench.ts";
import { median } from "./measure.ts";

const MB = 1_000_000;
/** Of each connection's sender. */
const SLICE = 64 * 1024;

interface Case {
  readonly name: string;
  readonly bytes: number;
  /** Bytes a second and connection. */
  readonly rate: number;
  /** Milliseconds before each answer. */
  readonly delay: number;
}

const CASES: readonly Case[] = [
  { name: "600 MB, as fast as it goes", bytes: 600 * MB, rate: Infinity, delay: 0 },
  { name: "100 MB, 50 MB/s a connection, 30 ms", bytes: 100 * MB, rate: 50 * MB, delay: 30 },
  { name: "100 MB, 15 MB/s a connection, 100 ms", bytes: 100 * MB, rate: 15 * MB, delay: 100 },
];

const CLIENTS: Readonly<Record<string, RegistryClientOptions["split"]>> = {
  "one connection": false,
  "as it is by default": undefined,
  "split at once": { patience: 0 },
};

export async function benchSlowNetwork(bench: Bench): Promise<void> {
  const rounds = Math.min(bench.rounds, 3);
  const rows: string[][] = [];
  for (const { name, bytes, rate, delay } of CASES) {
    const blob = randomBytes(bytes);
    const descriptor: Descriptor = {
      mediaType: MEDIA_TYPES.ociLayer,
      digest: digestOf(blob),
      size: blob.length,
    };
    const server = await serve(blob, { rate, delay });
    const seconds = new Map<string, number[]>();
    for (let round = 0; round < rounds; round++) {
      for (const [client, split] of Object.entries(CLIENTS)) {
        const took = await pull(server, descriptor, split);
        seconds.set(client, [...(seconds.get(client) ?? []), took]);
        bench.say(`  ${name}, ${client}: ${took.toFixed(2)} s`);
      }
    }
    server.closeAllConnections();
    server.close();
    rows.push([
      name,
      ...Object.keys(CLIENTS).map((client) => `${median(seconds.get(client) ?? []).toFixed(2)} s`),
    ]);
  }
  bench.tables.push({ title: "One large blob", header: ["", ...Object.keys(CLIENTS)], rows });
}

async function pull(
  server: Server,
  descriptor: Descriptor,
  split: RegistryClientOptions["split"],
): Promise<number> {
  await using client = new RegistryClient({ hosts: new ConfiguredHosts({ defaultScheme: "http" }), split });
  await using store = openMemoryStore();
  const { port } = server.address() as AddressInfo;
  const began = performance.now();
  await store.write(descriptor, client.repository(`127.0.0.1:${port}`, "bench/blob"));
  return (performance.now() - began) / 1000;
}

async function serve(blob: Buffer, pace: { readonly rate: number; readonly delay: number }): Promise<Server> {
  const server = createServer((request, response) => {
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? "");
    const from = Number(range?.[1] ?? 0);
    const last = range?.[2] === undefined || range[2] === "" ? blob.length - 1 : Number(range[2]);
    const body = blob.subarray(from, last + 1);
    const headers = { "content-length": body.length };
    const partial = { ...headers, "content-range": `bytes ${from}-${last}/${blob.length}` };
    void send(response, body, {
      status: range === null ? 200 : 206,
      headers: range === null ? headers : partial,
      ...pace,
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return server;
}

async function send(
  response: ServerResponse,
  body: Buffer,
  answer: {
    readonly status: number;
    readonly headers: Record<string, string | number>;
    readonly rate: number;
    readonly delay: number;
  },
): Promise<void> {
  if (answer.delay > 0) await wait(answer.delay);
  response.writeHead(answer.status, answer.headers);
  if (!Number.isFinite(answer.rate)) return void response.end(body);
  const began = performance.now();
  for (let at = 0; at < body.length && !response.destroyed; at += SLICE) {
    response.write(body.subarray(at, at + SLICE));
    const due = (at / answer.rate) * 1000 - (performance.now() - began);
    if (due > 1) await wait(due);
  }
  response.end();
}
