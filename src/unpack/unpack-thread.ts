/**
 * The thread that makes files, and what is said to it:
 *
 * ```text
 * begin (what the layer should be) ─► chunk (slot, length) … ─► end ─► begin … ─► finish ─► close
 *                                        └─► free (slot)         └─► layer (facts)    └─► finished (facts)
 * ```
 *
 * Chunks lie in slots of memory that both threads see. After a failure, which is told once, chunks go nowhere.
 */
import type { MessagePort } from "node:worker_threads";

import { DrayError } from "../errors.ts";
import { FolderUnpacker, type FolderUnpackerOptions, type UnpackedFacts } from "./folder-unpacker.ts";
import type { LayerFacts, LayerWriter, PlainExpectation } from "./layer-writer.ts";

/** Bytes of one slot, and how many there are. */
export const SLOT_BYTES: number = 256 * 1024;
export const SLOTS = 24;

export interface ThreadData {
  readonly folder: string;
  readonly options: FolderUnpackerOptions;
  readonly memory: SharedArrayBuffer;
}

export type ThreadOrder =
  | { readonly type: "begin"; readonly expected: PlainExpectation }
  | { readonly type: "chunk"; readonly slot: number; readonly length: number }
  | { readonly type: "end" }
  /** Asks whether anything went wrong with what was said before. */
  | { readonly type: "settle" }
  | { readonly type: "finish" }
  | { readonly type: "close" };

export type ThreadAnswer =
  | { readonly type: "free"; readonly slot: number }
  | { readonly type: "layer"; readonly facts: LayerFacts }
  | { readonly type: "settled" }
  | { readonly type: "finished"; readonly facts: UnpackedFacts }
  | { readonly type: "failure"; readonly failure: ThreadFailure };

/** Errors lose their class between threads. */
export interface ThreadFailure {
  /** Whether it is one of this room's, or any other. */
  readonly deliberate: boolean;
  readonly code: string | undefined;
  readonly message: string;
  readonly cause: string | undefined;
}

/** Runs in a thread of its own until it is told to close; not for other callers. */
export function runUnpackThread(port: MessagePort, data: ThreadData): void {
  const thread = new UnpackThread(port, data);
  const queue: ThreadOrder[] = [];
  let running = false;
  const run = async (): Promise<void> => {
    running = true;
    for (let order = queue.shift(); order !== undefined; order = queue.shift()) {
      const pending = thread.obey(order);
      if (pending !== undefined) await pending;
    }
    running = false;
  };
  port.on("message", (order: ThreadOrder) => {
    queue.push(order);
    if (!running) void run();
  });
}

class UnpackThread {
  readonly #port: MessagePort;
  readonly #memory: SharedArrayBuffer;
  #unpacker: FolderUnpacker | undefined;
  #layer: LayerWriter | undefined;
  #failed = false;

  constructor(port: MessagePort, { folder, options, memory }: ThreadData) {
    this.#port = port;
    this.#memory = memory;
    try {
      this.#unpacker = new FolderUnpacker(folder, options);
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Never rejects. */
  obey(order: ThreadOrder): void | Promise<void> {
    if (order.type === "chunk") return this.#write(order.slot, order.length);
    if (order.type === "settle") return this.#tell({ type: "settled" });
    if (order.type === "close") return this.#close();
    if (this.#failed) return undefined;
    try {
      if (order.type === "begin") this.#layer = this.#unpacker?.begin(order.expected);
      else if (order.type === "end") {
        const facts = this.#layer?.end();
        if (facts !== undefined) this.#tell({ type: "layer", facts });
      } else {
        const facts = this.#unpacker?.finish();
        if (facts !== undefined) this.#tell({ type: "finished", facts });
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  async #write(slot: number, length: number): Promise<void> {
    try {
      const chunk = new Uint8Array(this.#memory, slot * SLOT_BYTES, length);
      if (!this.#failed) await this.#layer?.write(chunk);
    } catch (error) {
      this.#fail(error);
    }
    this.#tell({ type: "free", slot });
  }

  async #close(): Promise<void> {
    this.#layer?.close();
    try {
      await this.#unpacker?.close();
    } finally {
      this.#port.close();
    }
  }

  #fail(error: unknown): void {
    this.#failed = true;
    const { code, message, cause } = error as Partial<NodeJS.ErrnoException>;
    this.#tell({
      type: "failure",
      failure: {
        deliberate: error instanceof DrayError,
        code: typeof code === "string" ? code : undefined,
        message: message ?? String(error),
        cause: cause instanceof Error ? cause.message : undefined,
      },
    });
  }

  #tell(answer: ThreadAnswer): void {
    this.#port.postMessage(answer);
  }
}
