/** A containerd of a test's own, without the CRI, and `ctr` that speaks to it. */
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";

import { attempt, start, type Ended } from "../processes.ts";
import { findPeer } from "./peers.ts";

export interface Containerd extends AsyncDisposable {
  /** Runs `ctr` in a namespace, whatever comes of it. */
  ctr(namespace: string, args: readonly string[]): Promise<Ended>;
}

/** Everything it keeps is in `folder`. Its socket's path may have a hundred characters. */
export async function startContainerd(folder: string): Promise<Containerd> {
  mkdirSync(folder, { recursive: true });
  const settings = join(folder, "containerd.toml");
  const socket = join(folder, "containerd.sock");
  writeFileSync(settings, 'version = 2\ndisabled_plugins = ["io.containerd.grpc.v1.cri"]\n');
  const places = ["--root", join(folder, "root"), "--state", join(folder, "state"), "--address", socket];
  const process = start(findPeer("containerd") ?? "containerd", ["--config", settings, ...places]);
  try {
    await process.waitFor(/containerd successfully booted/);
  } catch (error) {
    await process.stop();
    throw error;
  }
  return {
    ctr: (namespace, args) => attempt(findPeer("ctr") ?? "ctr", ["-a", socket, "-n", namespace, ...args]),
    [Symbol.asyncDispose]: () => process.stop(),
  };
}
