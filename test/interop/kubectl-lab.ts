/** A small cluster of dray's on a port, and stock kubectl to drive it with. */
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";

import { type Cluster, openCluster } from "../../src/apiserver/controllers/testing.ts";
import { attempt, type Ended, start, type Started } from "../processes.ts";
import { findPeer } from "./peers.ts";

export interface KubectlLab extends AsyncDisposable {
  /** With controllers, and a node `n1` that runs Pods at once. */
  readonly cluster: Cluster;
  /** Where kubectl runs. */
  readonly folder: string;
  /** Runs kubectl to its end, whatever that is. */
  run(
    argv: readonly string[],
    options?: { readonly env?: NodeJS.ProcessEnv; readonly input?: string },
  ): Promise<Ended>;
  /** What a command that has to succeed prints. */
  kubectl(...argv: readonly string[]): Promise<string>;
  /** What a command prints once that is as wanted: controllers tell what they did a little later. */
  shows(wanted: RegExp, ...argv: readonly string[]): Promise<string>;
  /** What a command that has to fail says of it. */
  refused(...argv: readonly string[]): Promise<string>;
  /** Starts a command that goes on. */
  follow(...argv: readonly string[]): Started;
  /** Writes a file into the folder. */
  write(path: string, content: string): void;
}

/** Milliseconds that something which has to come about may take on a machine that has other work, too. */
const PATIENCE = 90_000;

export async function openKubectlLab(): Promise<KubectlLab> {
  const program = findPeer("kubectl") ?? "kubectl";
  const folder = mkdtempSync(join(tmpdir(), "dray-kubectl-"));
  const cluster = await openCluster();
  const { kubeconfig } = await cluster.server.listen({ port: 0 });
  const env = { PATH: process.env["PATH"], HOME: folder, TMPDIR: folder, KUBECONFIG: kubeconfig };
  const lab: KubectlLab = {
    cluster,
    folder,
    run: async (argv, { env: more, ...options } = {}) =>
      await attempt(program, argv, {
        cwd: folder,
        env: { ...env, ...more },
        timeout: 2 * PATIENCE,
        ...options,
      }),
    kubectl: async (...argv) => {
      const { status, stdout, stderr } = await lab.run(argv);
      assert.equal(status, 0, `kubectl ${argv.join(" ")}: ${stderr}`);
      return stdout;
    },
    shows: async (wanted, ...argv) => {
      const end = performance.now() + PATIENCE;
      for (;;) {
        const shown = await lab.kubectl(...argv);
        if (performance.now() > end) assert.match(shown, wanted);
        if (wanted.test(shown)) return shown;
      }
    },
    refused: async (...argv) => {
      const { status, stdout, stderr } = await lab.run(argv);
      assert.notEqual(status, 0, `kubectl ${argv.join(" ")}: ${stdout}`);
      return stderr;
    },
    follow: (...argv) => start(program, argv, { cwd: folder, env }),
    write: (path, content) => {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), content);
    },
    [Symbol.asyncDispose]: async () => {
      await cluster[Symbol.asyncDispose]();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  return lab;
}
