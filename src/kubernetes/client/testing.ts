/** API servers for tests: a real one over HTTPS that answers by script, a small one in memory, and a clock to match. */
import { createServer, type Server } from "node:https";
import type { IncomingMessage, ServerResponse } from "node:http";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { type CertificatePair, createAuthority, issueCertificate } from "../../internal/certificates.ts";
import type { KubernetesClient, KubernetesClientOptions } from "./client.ts";
import type { Clock } from "./clock.ts";
import { connectToCluster } from "./cluster-config.ts";
import { fixedCredential } from "./authenticate.ts";

export const PODS = { group: "", version: "v1", resource: "pods", namespaced: true } as const;

const DAY = 86_400_000;
let identity: Promise<{ readonly authority: CertificatePair; readonly server: CertificatePair }> | undefined;

/** One authority for the whole file: making keys takes a while. */
export function testIdentity(): Promise<{
  readonly authority: CertificatePair;
  readonly server: CertificatePair;
}> {
  return (identity ??= makeIdentity());
}

async function makeIdentity(): Promise<{
  readonly authority: CertificatePair;
  readonly server: CertificatePair;
}> {
  const authority = await createAuthority({ commonName: "test", now: Date.now, lifetimeMs: DAY });
  const server = await issueCertificate(authority, {
    commonName: "kubernetes",
    hosts: ["127.0.0.1", "kubernetes.test"],
    usage: "server",
    now: Date.now,
    lifetimeMs: DAY,
  });
  return { authority, server };
}

export interface Asked {
  readonly method: string;
  /** Path and query. */
  readonly url: string;
  readonly headers: IncomingMessage["headers"];
  readonly body: string;
}

export type Answer = (request: Asked, response: ServerResponse) => void | Promise<void>;

export interface ScriptedServer extends AsyncDisposable {
  readonly url: string;
  readonly authority: string;
  readonly asked: Asked[];
  readonly server: Server;
  client(options?: Partial<KubernetesClientOptions>): KubernetesClient;
}

/** Answers over HTTPS as `answer` says; everything asked is kept. */
export async function openScriptedServer(
  answer: Answer,
  options: { readonly clientAuthority?: string } = {},
): Promise<ScriptedServer> {
  const { authority, server: pair } = await testIdentity();
  const asked: Asked[] = [];
  const { clientAuthority } = options;
  const server = createServer(
    {
      cert: pair.certificate,
      key: pair.key,
      ...(clientAuthority !== undefined && {
        ca: clientAuthority,
        requestCert: true,
        rejectUnauthorized: false,
      }),
    },
    (request, response) => {
      response.on("error", () => {});
      void (async () => {
        const chunks: Buffer[] = [];
        for await (const chunk of request) chunks.push(chunk as Buffer);
        const { method = "", url = "", headers } = request;
        const one = { method, url, headers, body: Buffer.concat(chunks).toString() };
        asked.push(one);
        await answer(one, response);
      })().catch(() => response.destroy());
    },
  );
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const url = `https://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const closers: (() => Promise<void>)[] = [];
  return {
    url,
    authority: authority.certificate,
    asked,
    server,
    client(given = {}) {
      const info = { server: url, certificateAuthority: authority.certificate, namespace: "default" };
      const connected = connectToCluster({ ...info, credentials: fixedCredential({}) }, given);
      closers.push(() => connected.close());
      return connected.client;
    },
    async [Symbol.asyncDispose]() {
      for (const close of closers) await close();
      server.closeAllConnections();
      server.close();
    },
  };
}

export function sendJson(response: ServerResponse, code: number, body: unknown, headers: object = {}): void {
  response.writeHead(code, { "content-type": "application/json", ...headers });
  response.end(JSON.stringify(body));
}

export function sendFailure(
  response: ServerResponse,
  code: number,
  reason: string,
  headers: object = {},
): void {
  const status = {
    kind: "Status",
    apiVersion: "v1",
    metadata: {},
    status: "Failure",
    reason,
    code,
    message: reason,
  };
  sendJson(response, code, status, headers);
}

export interface TestClock extends Clock {
  /** Milliseconds that were waited for, in order. */
  readonly waits: number[];
}

/** What is waited for so long is not expected to happen. */
const LONG = 200_000;

/** Waits for nothing but notes it; time goes on by what was waited for. Long waits end by their signal alone. */
export function impatientClock(start: number = Date.UTC(2026, 0, 1)): TestClock {
  let now = start;
  const waits: number[] = [];
  return {
    waits,
    now: () => now,
    wait: async (milliseconds, signal) => {
      signal?.throwIfAborted();
      if (milliseconds >= LONG) return await aborted(signal);
      waits.push(milliseconds);
      now += milliseconds;
      await new Promise<void>((resolve) => setImmediate(resolve));
    },
  };
}

function aborted(signal: AbortSignal | undefined): Promise<never> {
  return new Promise((_, reject) => {
    signal?.addEventListener("abort", () => reject(signal.reason as Error), { once: true });
  });
}

/** Stands still: waiting ends by the signal alone. */
export function frozenClock(): TestClock & { advance(milliseconds: number): void } {
  let now = Date.UTC(2026, 0, 1);
  const waits: number[] = [];
  const waiting = new Set<{ readonly at: number; readonly resolve: () => void }>();
  return {
    waits,
    now: () => now,
    advance: (milliseconds) => {
      now += milliseconds;
      for (const one of waiting) if (one.at <= now && waiting.delete(one)) one.resolve();
    },
    wait: async (milliseconds, signal) => {
      signal?.throwIfAborted();
      waits.push(milliseconds);
      await new Promise<void>((resolve, reject) => {
        const one = { at: now + milliseconds, resolve };
        waiting.add(one);
        signal?.addEventListener(
          "abort",
          () => {
            waiting.delete(one);
            reject(signal.reason as Error);
          },
          { once: true },
        );
      });
    },
  };
}

export function podOf(name: string, resourceVersion: number, more: object = {}): object {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      namespace: "default",
      uid: `uid-${name}`,
      resourceVersion: String(resourceVersion),
      ...more,
    },
  };
}
