import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../errors.ts";

export const tenant: Command = defineCommand({
  name: "tenant",
  summary: "Keep apart who shares a registry: repositories, quota, logins, pull Secrets",
  details: [
    "A tenant is all of a registry that is called NAME/…, a quota for it, a robot that pushes and one that pulls, and the namespaces of a cluster whose Pods pull with that.",
    "What is done here is seen by a running registry at once. As it takes several steps, it may be cut short anywhere; the same command then goes on where it ended.",
  ],
  options: {},
  arguments: [{ name: "ACTION", summary: "create, rotate, list, show, update or delete" }],
  examples: [
    { command: "dray tenant create acme --namespace shop --quota 50GB", summary: "Let a team in" },
    { command: "dray tenant rotate acme", summary: "Replace its logins, with no failed pull" },
  ],
  run({ positionals }) {
    const [action] = positionals;
    const message = `There is no dray tenant ${JSON.stringify(action)}: it takes create, rotate, list, show, update or delete`;
    return Promise.reject(new UsageError(message, "tenant"));
  },
});
