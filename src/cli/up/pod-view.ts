import type { ImageNode, NodeChange, PodEvent } from "../../node/index.ts";
import type { CommandContext } from "../context.ts";
import { LiveRegion } from "../terminal/live.ts";
import { createStyle } from "../terminal/style.ts";
import { printable } from "../terminal/width.ts";
import { describeContainer, eventToJson, toJson } from "./describe-container.ts";
import { formatChange, renderPods } from "./render-pods.ts";

/** Shows what a node does: a table that stays true on a terminal, a line for each change anywhere else. */
export interface PodView {
  show(change: NodeChange): void;
  /** Prints a line for people beside the view. */
  note(text: string): void;
  close(): void;
}

export interface PodViewOptions {
  readonly context: CommandContext;
  readonly json: boolean;
  /** The node, once there is one; its state is what the table draws. */
  readonly node: () => ImageNode | undefined;
}

export function createPodView(options: PodViewOptions): PodView {
  const { stdout, env } = options.context;
  const live = stdout.isTTY && !options.json && env["TERM"] !== "dumb";
  return live ? new TableView(options) : new LineView(options);
}

/** Milliseconds between frames: progress comes by the hundred a second, and nobody reads that fast. */
const FRAME = 100;

class TableView implements PodView {
  readonly #options: PodViewOptions;
  readonly #region: LiveRegion;
  readonly #stopResizing: (() => void) | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(options: PodViewOptions) {
    const { stdout } = options.context;
    this.#options = options;
    this.#region = new LiveRegion(stdout);
    this.#stopResizing = stdout.onResize?.(() => this.show());
  }

  show(): void {
    // Bursts of changes become one frame; the last one is always drawn.
    this.#timer ??= setTimeout(() => {
      this.#timer = undefined;
      this.#draw();
    }, FRAME);
  }

  note(text: string): void {
    this.#region.print(printable(text));
  }

  close(): void {
    this.#stopResizing?.();
    clearTimeout(this.#timer);
    this.#draw();
    this.#region.close();
  }

  #draw(): void {
    const { stdout, env } = this.#options.context;
    const node = this.#options.node();
    if (node === undefined) return;
    this.#region.draw(renderPods(node.state, { width: stdout.columns - 1, style: createStyle(stdout, env) }));
  }
}

class LineView implements PodView {
  readonly #context: CommandContext;
  readonly #json: boolean;
  readonly #shown = new Map<string, string>();
  #problems: readonly string[] = [];

  constructor(options: PodViewOptions) {
    this.#context = options.context;
    this.#json = options.json;
  }

  show(change: NodeChange): void {
    switch (change.kind) {
      case "pod-added":
      case "status":
        // Nothing that the lines of its containers don't tell.
        return;
      case "pod-removed":
        this.#removed(change.pod);
        return;
      case "container":
        this.#container(change);
        return;
      case "event":
        this.#event(change.event, change.pod);
        return;
      case "node-event":
        this.#event(change.event);
        return;
      case "problems":
        this.#tellProblems(change.problems);
        return;
    }
  }

  note(text: string): void {
    void this.#context.stderr.write(`${printable(text)}\n`);
  }

  close(): void {}

  #container({ pod, container }: Extract<NodeChange, { kind: "container" }>): void {
    // A line for each phase, not for each percent.
    const line = this.#json
      ? JSON.stringify(toJson(pod, container))
      : formatChange(describeContainer(pod, { ...container, progress: undefined }));
    const key = `${pod.namespace}/${pod.name}/${container.role}/${container.name}`;
    if (this.#shown.get(key) === line) return;
    this.#shown.set(key, line);
    void this.#context.stdout.write(`${line}\n`);
  }

  /** Programs hear of every event; people read the same in the lines of the containers. */
  #event(event: PodEvent, pod?: { readonly namespace: string; readonly name: string }): void {
    if (!this.#json) return;
    void this.#context.stdout.write(`${JSON.stringify(eventToJson(pod, event))}\n`);
  }

  #removed(pod: { readonly namespace: string; readonly name: string }): void {
    for (const key of this.#shown.keys()) {
      if (key.startsWith(`${pod.namespace}/${pod.name}/`)) this.#shown.delete(key);
    }
    const { namespace, name } = pod;
    const gone = `${namespace === "default" ? "" : `${namespace}/`}${name}  Removed`;
    const line = this.#json ? JSON.stringify({ event: "pod-removed", namespace, pod: name }) : gone;
    void this.#context.stdout.write(`${line}\n`);
  }

  #tellProblems(problems: readonly string[]): void {
    const before = new Set(this.#problems);
    this.#problems = problems;
    for (const problem of problems) {
      if (before.has(problem)) continue;
      if (this.#json)
        void this.#context.stdout.write(`${JSON.stringify({ event: "problem", message: problem })}\n`);
      else void this.#context.stderr.write(`${printable(problem)}\n`);
    }
  }
}
