import { join } from "node:path";

import { ACCESS_FILE, createRobot, deleteRobot, openSqliteAccessStore } from "../../registry/index.ts";
import { type AccessStore, RegistryError, type RobotGrant, type RobotLogin } from "../../registry/index.ts";
import { type RobotRecord, rotateRobot } from "../../registry/index.ts";
import { makeFolder } from "../../internal/make-folder.ts";
import { type Command, defineCommand } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";
import { FOLDER_OPTIONS, resolveRegistry } from "../registry/options.ts";
import { readDuration } from "../settings.ts";
import { createStyle } from "../terminal/style.ts";
import { renderTable } from "../terminal/table.ts";

const COMMAND = "registry robot";
const PAGE = 500;
/** Which actions these options are for; with any other they would go unheard. */
const ACTIONS_OF: readonly (readonly ["grant" | "group" | "expires" | "overlap", readonly string[]])[] = [
  ["grant", ["create"]],
  ["group", ["create"]],
  ["expires", ["create", "rotate"]],
  ["overlap", ["rotate"]],
];

export const registryRobot: Command = defineCommand({
  name: COMMAND,
  summary: "Make, rotate, list and delete a registry's accounts for machines",
  details: [
    "create and rotate print the login and its secret, which is shown this once. After rotate the secret until now works on for a while, so that there is no moment without a good one. Changes hold at once, whether or not the registry runs.",
  ],
  options: {
    ...FOLDER_OPTIONS,
    grant: {
      type: "string",
      value: "PATTERN=ACTIONS",
      multiple: true,
      summary: "With create: what it may do, as in 'team/**=pull,push', besides what policies say",
    },
    group: { type: "string", value: "NAME", multiple: true, summary: "With create: a group it belongs to" },
    expires: {
      type: "string",
      value: "DURATION",
      summary: "With create: when it ends, as in 90d; with rotate: when it ends from now on",
    },
    overlap: {
      type: "string",
      value: "DURATION",
      summary: "With rotate: how long the secret until now works on; 1d by default",
    },
  },
  arguments: [
    { name: "ACTION", summary: "create, rotate, list or delete" },
    { name: "NAME", summary: "The robot's name", optional: true },
  ],
  examples: [
    {
      command: "dray registry robot create ci --grant 'team/**=pull,push' --expires 90d",
      summary: "Let a pipeline push for three months",
    },
    { command: "dray registry robot rotate ci --overlap 1h", summary: "Replace its secret" },
  ],
  async run({ values, positionals }, context) {
    const [action = "", name] = positionals;
    if (!["create", "rotate", "list", "delete"].includes(action)) {
      throw new UsageError(
        `There is no ${JSON.stringify(action)} of robots: it is create, rotate, list or delete`,
        COMMAND,
      );
    }
    if ((action === "list") !== (name === undefined)) {
      throw new UsageError(
        action === "list" ? "list takes no name" : `${action} needs the robot's NAME`,
        COMMAND,
      );
    }
    for (const [option, actions] of ACTIONS_OF) {
      if (values[option] === undefined || actions.includes(action)) continue;
      throw new UsageError(`Option --${option} is for ${actions.join(" and ")}, not for ${action}`, COMMAND);
    }
    const grants = (values.grant ?? []).map(readGrant);
    const lifetime = readDuration(values.expires, "--expires");
    const overlap = readDuration(values.overlap, "--overlap");
    const { folder } = await resolveRegistry(values, context);
    makeFolder(folder, { mode: 0o700 });
    await using store = openSqliteAccessStore(join(folder, ACCESS_FILE));
    const clock = (): number => context.clock.now();
    const json = values.json === true;
    const expiresAt = lifetime === undefined ? undefined : clock() + lifetime;
    switch (action) {
      case "create": {
        const groups = values.group ?? [];
        return await show(
          await createRobot(store, name ?? "", { grants, groups, expiresAt, clock }),
          json,
          context,
        );
      }
      case "rotate":
        return await show(await rotateRobot(store, name ?? "", { overlap, expiresAt, clock }), json, context);
      case "delete":
        if (await deleteRobot(store, name ?? "")) return;
        throw new RegistryError(
          "ACCOUNT_UNKNOWN",
          `Cannot delete robot ${JSON.stringify(name)}: there is none of that name`,
        );
      default:
        await list(store, json, context);
    }
  },
});

/** `team/**=pull,push` */
function readGrant(text: string): RobotGrant {
  const [, pattern = "", actions = ""] = /^([^=]+)=([a-z,]+)$/.exec(text) ?? [];
  if (pattern === "") {
    throw new UsageError(
      `Option --grant does not take ${JSON.stringify(text)}: write 'team/**=pull,push'`,
      COMMAND,
    );
  }
  // What isn't an action is found where the robot is made.
  return { repositories: [pattern], actions: actions.split(",") as RobotGrant["actions"] };
}

async function show(
  { login, secret, robot }: RobotLogin,
  json: boolean,
  { stdout }: CommandContext,
): Promise<void> {
  const text = secret.reveal();
  const { expiresAt } = robot;
  await stdout.write(
    json ? `${JSON.stringify({ login, secret: text, expiresAt })}\n` : `${login}\n${text}\n`,
  );
}

async function list(store: AccessStore, json: boolean, context: CommandContext): Promise<void> {
  const robots: RobotRecord[] = [];
  for (let after: string | undefined; ;) {
    const page = await store.listRobots({ after, limit: PAGE });
    robots.push(...page);
    if (page.length < PAGE) break;
    after = page.at(-1)?.name;
  }
  const { stdout, env, clock } = context;
  if (json) {
    for (const { secrets, ...robot } of robots) {
      const shown = secrets.map(({ createdAt, expiresAt }) => ({ createdAt, expiresAt }));
      await stdout.write(`${JSON.stringify({ ...robot, secrets: shown })}\n`);
    }
    return;
  }
  if (robots.length === 0) return;
  const rows = robots.map((robot) => [
    robot.name,
    robot.expiresAt === undefined ? "never" : formatDate(robot.expiresAt, clock.now()),
    robot.secrets[0] === undefined ? "none" : dateOf(robot.secrets[0].createdAt),
    robot.groups.join(" "),
    robot.grants
      .map(({ repositories, actions }) => `${repositories.join(" ")}=${actions.join(",")}`)
      .join(" "),
  ]);
  const columns = [
    { title: "ROBOT" },
    { title: "ENDS" },
    { title: "ROTATED" },
    { title: "GROUPS" },
    { title: "GRANTS" },
  ];
  const lines = renderTable({ columns, rows, style: createStyle(stdout, env) });
  await stdout.write(lines.map((line) => `${line}\n`).join(""));
}

function formatDate(time: number, now: number): string {
  return time <= now ? `ended ${dateOf(time)}` : dateOf(time);
}

function dateOf(time: number): string {
  return new Date(time).toISOString().slice(0, 10);
}
