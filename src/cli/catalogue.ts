/** Every command by name, in the order help lists them. A command's module is loaded when it is asked for. */
import type { Command } from "./command.ts";

const LOADERS = {
  up: async () => (await import("./commands/up.ts")).up,
  status: async () => (await import("./commands/status.ts")).status,
  explain: async () => (await import("./commands/explain.ts")).explain,
  build: async () => (await import("./commands/build.ts")).build,
  pull: async () => (await import("./commands/pull.ts")).pull,
  push: async () => (await import("./commands/push.ts")).push,
  copy: async () => (await import("./commands/copy.ts")).copy,
  manifest: async () => (await import("./commands/manifest.ts")).manifest,
  config: async () => (await import("./commands/config.ts")).config,
  digest: async () => (await import("./commands/digest.ts")).digest,
  tags: async () => (await import("./commands/tags.ts")).tags,
  pin: async () => (await import("./commands/pin.ts")).pin,
  policy: async () => (await import("./commands/policy.ts")).policy,
  images: async () => (await import("./commands/images.ts")).images,
  tag: async () => (await import("./commands/tag.ts")).tag,
  rm: async () => (await import("./commands/rm.ts")).rm,
  save: async () => (await import("./commands/save.ts")).save,
  load: async () => (await import("./commands/load.ts")).load,
  unpack: async () => (await import("./commands/unpack.ts")).unpack,
  login: async () => (await import("./commands/login.ts")).login,
  logout: async () => (await import("./commands/logout.ts")).logout,
  "credential-provider": async () => (await import("./commands/credential-provider.ts")).credentialProvider,
  registry: async () => (await import("./commands/registry.ts")).registry,
  "registry check-config": async () => (await import("./commands/registry-config.ts")).registryCheckConfig,
  "registry status": async () => (await import("./commands/registry-status.ts")).registryStatus,
  "registry robot": async () => (await import("./commands/registry-robot.ts")).registryRobot,
  "registry user": async () => (await import("./commands/registry-user.ts")).registryUser,
  "registry gc": async () => (await import("./commands/registry-gc.ts")).registryGc,
  "registry check": async () => (await import("./commands/registry-check.ts")).registryCheck,
  "registry notifications": async () =>
    (await import("./commands/registry-notifications.ts")).registryNotifications,
  "registry export": async () => (await import("./commands/registry-layout.ts")).registryExport,
  "registry import": async () => (await import("./commands/registry-layout.ts")).registryImport,
  tenant: async () => (await import("./commands/tenant.ts")).tenant,
  "tenant create": async () => (await import("./commands/tenant-create.ts")).tenantCreate,
  "tenant rotate": async () => (await import("./commands/tenant-rotate.ts")).tenantRotate,
  "tenant list": async () => (await import("./commands/tenant-list.ts")).tenantList,
  "tenant show": async () => (await import("./commands/tenant-show.ts")).tenantShow,
  "tenant update": async () => (await import("./commands/tenant-update.ts")).tenantUpdate,
  "tenant delete": async () => (await import("./commands/tenant-delete.ts")).tenantDelete,
  mirror: async () => (await import("./commands/mirror.ts")).mirror,
  webhook: async () => (await import("./commands/webhook.ts")).webhook,
  cri: async () => (await import("./commands/cri.ts")).cri,
  pulls: async () => (await import("./commands/pulls.ts")).pulls,
  prefetch: async () => (await import("./commands/prefetch.ts")).prefetch,
  doctor: async () => (await import("./commands/doctor.ts")).doctor,
  "doctor node": async () => (await import("./commands/doctor-node.ts")).doctorNode,
  gc: async () => (await import("./commands/gc.ts")).gc,
  df: async () => (await import("./commands/df.ts")).df,
  completion: async () => (await import("./commands/completion.ts")).completion,
} as const satisfies Readonly<Record<string, () => Promise<Command>>>;

/** Names that habit types for ours. */
const ALIASES: Readonly<Record<string, string>> = { cp: "copy", rmi: "rm", ls: "images", inspect: "config" };

/** Those of one word: what may follow `dray`. */
export const COMMAND_NAMES: readonly string[] = Object.keys(LOADERS).filter((name) => !name.includes(" "));

/**
 * Splits a command line into the name of a command, which may be of two words, and what follows. The second word is
 * a part of the name only where there is such a command.
 */
export function splitCommand(words: readonly string[]): readonly [name: string, rest: readonly string[]] {
  const [first = "", second = "", ...rest] = words;
  const both = `${first} ${second}`;
  return Object.hasOwn(LOADERS, both) ? [both, rest] : [first, words.slice(1)];
}

/** The command a word stands for; `undefined` when there is none. */
export async function findCommand(word: string): Promise<Command | undefined> {
  const name = Object.hasOwn(ALIASES, word) ? ALIASES[word] : word;
  if (name === undefined || !Object.hasOwn(LOADERS, name)) return undefined;
  return await LOADERS[name as keyof typeof LOADERS]();
}

/** `registry status` and its siblings, for `registry`. */
export async function loadSubcommands(name: string): Promise<readonly Command[]> {
  const names = Object.keys(LOADERS).filter((one) => one.startsWith(`${name} `));
  return await Promise.all(names.map(async (one) => await LOADERS[one as keyof typeof LOADERS]()));
}

export async function loadCommands(): Promise<readonly Command[]> {
  return await Promise.all(Object.values(LOADERS).map((load): Promise<Command> => load()));
}
