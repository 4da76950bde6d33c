import {
  createServer,
  type Http2ServerRequest,
  type Http2ServerResponse,
  type ServerHttp2Session,
} from "node:http2";
import type { Socket } from "node:net";

import { Code, ConnectError, createConnectRouter, type Interceptor } from "@connectrpc/connect";
import { universalRequestFromNodeRequest, universalResponseToNodeResponse } from "@connectrpc/connect-node";

import type { MetricSink } from "../images/index.ts";
import { Pulls } from "./generated/dray/cri_v1_pb.ts";
import { ImageService, RuntimeService } from "./generated/runtime/v1_pb.ts";
import { imageCalls } from "./image-calls.ts";
import type { ImageBackend } from "./image-backend.ts";
import { CRI_METRICS } from "./metrics.ts";
import { pullCalls } from "./pull-calls.ts";
import { runtimeCalls, type RuntimeFacts } from "./runtime-calls.ts";
import { RunningPulls } from "./running-pulls.ts";
import { bindSocket, type SocketOptions } from "./socket-file.ts";
import { codeName, toConnectError } from "./status-codes.ts";

export interface CriServerOptions {
  readonly socket: SocketOptions;
  readonly backend: ImageBackend;
  readonly runtime: RuntimeFacts;
  /** Milliseconds without a byte after which a pull is given up, 0 for never; five minutes by default. */
  readonly progressTimeout?: number | undefined;
  /** Milliseconds after which a pull is given up however it goes; 0, the default, for never. */
  readonly pullDeadline?: number | undefined;
  /** What a filter of ListImages does; containerd ignores it, and so does the default. */
  readonly listFilter?: "ignore" | "honour" | undefined;
  readonly metrics?: MetricSink | undefined;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
}

export interface CriServer extends AsyncDisposable {
  readonly pulls: RunningPulls;
  /**
   * Takes no more calls and frees the socket; lets those under way finish, and cancels what takes longer than
   * `deadline` milliseconds. Harmless when called twice.
   */
  close(deadline: number): Promise<void>;
}

/** What containerd takes in one message. */
const MAX_MESSAGE = 16 * 1024 * 1024;
const PROGRESS_TIMEOUT = 5 * 60 * 1000;

/**
 * Serves CRI v1 with gRPC over a unix socket.
 *
 * @throws CriError `SOCKET_IN_USE`, `SOCKET_UNUSABLE`
 */
export async function serveCri(options: CriServerOptions): Promise<CriServer> {
  const { backend, runtime, now, metrics } = options;
  const { progressTimeout = PROGRESS_TIMEOUT, pullDeadline = 0, listFilter = "ignore" } = options;
  const pulls = new RunningPulls({ now, metrics });
  const ending = new AbortController();
  const router = createConnectRouter({
    grpc: true,
    grpcWeb: false,
    connect: false,
    readMaxBytes: MAX_MESSAGE,
    shutdownSignal: ending.signal,
    interceptors: [tellFailures, ...(metrics === undefined ? [] : [measure(metrics, now)])],
  });
  router.service(ImageService, imageCalls({ backend, pulls, progressTimeout, pullDeadline, listFilter }));
  router.service(RuntimeService, runtimeCalls(runtime));
  router.service(Pulls, pullCalls(pulls));
  const server = createServer(makeListener(router));
  const sessions = new Set<ServerHttp2Session>();
  server.on("session", (session) => {
    sessions.add(session);
    session.once("close", () => sessions.delete(session));
  });
  const sockets = new Set<Socket>();
  server.on("connection", (socket: Socket) => {
    sockets.add(socket);
    socket.once("close", () => sockets.delete(socket));
  });
  server.on("sessionError", () => {});
  const unbind = await bindSocket(server, options.socket);
  let closing: Promise<void> | undefined;
  const close = (deadline: number): Promise<void> => (closing ??= closeServer(deadline));
  const closeServer = async (deadline: number): Promise<void> => {
    unbind();
    const timer = setTimeout(() => {
      ending.abort(new ConnectError("the image service is ending", Code.Unavailable));
      // What is cancelled still says so; whoever doesn't listen is cut.
      setTimeout(() => {
        // A session that has ended may still wait for the other side to hang up.
        for (const socket of sockets) socket.destroy();
      }, FAREWELL).unref();
    }, deadline);
    await new Promise<void>((resolve) => {
      server.close(() => resolve());
      // Each ends when its last call is answered.
      for (const session of sessions) session.close();
    });
    clearTimeout(timer);
  };
  return { pulls, close, [Symbol.asyncDispose]: () => close(0) };
}

const FAREWELL = 500;

type Router = ReturnType<typeof createConnectRouter>;

function makeListener(router: Router): (request: Http2ServerRequest, response: Http2ServerResponse) => void {
  const handlers = new Map(router.handlers.map((handler) => [handler.requestPath, handler]));
  return (request, response) => {
    const handler = handlers.get(request.url.split("?", 1)[0] ?? "");
    if (handler === undefined) {
      // gRPC's clients read this as Unimplemented.
      response.writeHead(404);
      response.end();
      return;
    }
    // Clients make an authority of the socket's path in ways that are no URL's host; nobody here asks for it.
    Object.defineProperty(request, "authority", { value: "localhost" });
    handler(universalRequestFromNodeRequest(request, response, undefined, undefined))
      .then((answer) => universalResponseToNodeResponse(answer, response))
      // The client has gone.
      .catch(() => response.stream?.close());
  };
}

/** Makes gRPC's errors of whatever is thrown. */
const tellFailures: Interceptor = (next) => async (request) => {
  try {
    const response = await next(request);
    if (!response.stream) return response;
    return { ...response, message: translating(response.message, request.signal) };
  } catch (error) {
    throw toConnectError(error, request.signal);
  }
};

async function* translating<T>(items: AsyncIterable<T>, signal: AbortSignal): AsyncGenerator<T> {
  try {
    yield* items;
  } catch (error) {
    throw toConnectError(error, signal);
  }
}

function measure(metrics: MetricSink, now: () => number): Interceptor {
  return (next) => async (request) => {
    const start = now();
    const method = request.method.name;
    let code: Code | undefined;
    try {
      return await next(request);
    } catch (error) {
      code = toConnectError(error, request.signal).code;
      throw error;
    } finally {
      metrics.count(CRI_METRICS.calls, { method, code: codeName(code) });
      metrics.observe(CRI_METRICS.duration, (now() - start) / 1000, { method });
    }
  };
}
