import { readFile, statfs } from "node:fs/promises";
import { availableParallelism, hostname, networkInterfaces, release, totalmem } from "node:os";

import type { NodeFacts } from "../../node/index.ts";
import { localPlatform } from "../settings.ts";
import { readVersion } from "../version.ts";

/** The Kubernetes release whose node this one behaves like. */
const KUBERNETES_VERSION = "1.36.2";

/** What this machine is, as far as it can be told without asking anyone. */
export async function readNodeFacts(dataDir: string): Promise<NodeFacts> {
  const { os, architecture } = localPlatform();
  const { bsize, blocks } = await statfs(dataDir);
  const version = await readVersion();
  return {
    os,
    architecture,
    hostname: nodeName(),
    address: findAddress(),
    processors: availableParallelism(),
    memory: totalmem(),
    disk: bsize * blocks,
    kernelVersion: release(),
    osImage: await readOsName(),
    machineId: await readLine("/etc/machine-id"),
    bootId: await readLine("/proc/sys/kernel/random/boot_id"),
    kubeletVersion: `v${KUBERNETES_VERSION}+dray.${version}`,
    runtimeVersion: `dray://${version}`,
  };
}

/** As the kubelet calls a machine that isn't told its name. */
export function nodeName(): string {
  const name = hostname().trim().toLowerCase();
  return /^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/.test(name) ? name : "dray";
}

/** The first address that others could reach; loopback's own where there's none. */
function findAddress(): string {
  const addresses = Object.values(networkInterfaces()).flatMap((list) => list ?? []);
  const found = addresses.find(({ family, internal }) => family === "IPv4" && !internal);
  return found?.address ?? "127.0.0.1";
}

async function readOsName(): Promise<string> {
  const text = await readFile("/etc/os-release", "utf8").catch(() => "");
  return /^PRETTY_NAME="?([^"\n]*)"?$/m.exec(text)?.[1] ?? "";
}

async function readLine(path: string): Promise<string> {
  return (await readFile(path, "utf8").catch(() => "")).trim();
}
