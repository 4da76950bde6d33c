import { join } from "node:path";

import { makeFolder } from "../../internal/make-folder.ts";
import { ACCESS_FILE, deleteUser, openSqliteAccessStore, putUser } from "../../registry/index.ts";
import { type AccessStore, RegistryError, type UserRecord } from "../../registry/index.ts";
import { type Command, defineCommand } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { readPassword } from "../credentials-option.ts";
import { UsageError } from "../errors.ts";
import { FOLDER_OPTIONS, resolveRegistry } from "../registry/options.ts";
import { Prompt } from "../terminal/prompt.ts";
import { Secret } from "../../credentials/index.ts";

const COMMAND = "registry user";
const PAGE = 500;

export const registryUser: Command = defineCommand({
  name: COMMAND,
  summary: "Add, list and remove a registry's users",
  details: [
    "They are kept in the registry's folder, passwords as bcrypt hashes; a user of the same name in an htpasswd file comes first. The password is read from standard input, or asked for on a terminal. add gives a user who is there already another password. Changes hold at once.",
  ],
  options: {
    ...FOLDER_OPTIONS,
    group: {
      type: "string",
      value: "NAME",
      multiple: true,
      summary: "With add: a group the user belongs to; '' for none, and without it those of before",
    },
  },
  arguments: [
    { name: "ACTION", summary: "add, list or remove" },
    { name: "NAME", summary: "The user's name", optional: true },
  ],
  examples: [
    { command: "pwgen 20 1 | dray registry user add alice --group developers", summary: "Let somebody in" },
    { command: "dray registry user remove alice", summary: "And out" },
  ],
  async run({ values, positionals }, context) {
    const [action = "", name] = positionals;
    if (!["add", "list", "remove"].includes(action)) {
      throw new UsageError(
        `There is no ${JSON.stringify(action)} of users: it is add, list or remove`,
        COMMAND,
      );
    }
    if ((action === "list") !== (name === undefined)) {
      throw new UsageError(
        action === "list" ? "list takes no name" : `${action} needs the user's NAME`,
        COMMAND,
      );
    }
    if (values.group !== undefined && action !== "add") {
      throw new UsageError(`Option --group is for add, not for ${action}`, COMMAND);
    }
    const { folder } = await resolveRegistry(values, context);
    makeFolder(folder, { mode: 0o700 });
    await using store = openSqliteAccessStore(join(folder, ACCESS_FILE));
    if (action === "list") return await list(store, values.json === true, context);
    if (action === "add") {
      return await putUser(store, name ?? "", {
        password: await askPassword(context),
        groups: values.group?.filter((group) => group !== ""),
      });
    }
    if (await deleteUser(store, name ?? "")) return;
    throw new RegistryError(
      "ACCOUNT_UNKNOWN",
      `Cannot remove user ${JSON.stringify(name)}: there is none of that name`,
    );
  },
});

async function askPassword(context: CommandContext): Promise<Secret> {
  if (!context.stdin.isTTY) return await readPassword(context);
  const answer = await new Prompt(context).ask("Password: ", { hidden: true });
  if (answer === undefined || answer === "") throw new UsageError("No password was given", COMMAND);
  return new Secret(answer);
}

async function list(store: AccessStore, json: boolean, { stdout }: CommandContext): Promise<void> {
  for (let after: string | undefined; ;) {
    const page: readonly UserRecord[] = await store.listUsers({ after, limit: PAGE });
    for (const { name, groups } of page) {
      await stdout.write(
        json ? `${JSON.stringify({ name, groups })}\n` : `${[name, ...groups].join("  ")}\n`,
      );
    }
    if (page.length < PAGE) return;
    after = page.at(-1)?.name;
  }
}
