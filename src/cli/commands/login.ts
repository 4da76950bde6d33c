import { ClientError } from "../../client/index.ts";
import {
  type Credential,
  type Secret,
  StaticSource,
  login as keepCredential,
} from "../../credentials/index.ts";
import { Secret as SecretText } from "../../credentials/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { connect } from "../connect.ts";
import type { CommandContext } from "../context.ts";
import { readPassword } from "../credentials-option.ts";
import { UsageError } from "../errors.ts";
import { REGISTRY_OPTIONS } from "../shared-options.ts";
import { Prompt } from "../terminal/prompt.ts";

const { username: _username, ...CONNECTION_OPTIONS } = REGISTRY_OPTIONS;

export const login: Command = defineCommand({
  name: "login",
  summary: "Log in to a registry, and keep the credential where Docker keeps it",
  details: [
    "The registry is asked first; a credential it refuses is not kept. A credential helper that Docker's config names is used.",
    "At a terminal, what isn't given is asked for. --password shows the password to everybody who can list processes; --password-stdin doesn't.",
  ],
  options: {
    username: { type: "string", short: "u", value: "NAME", summary: "Who to log in as" },
    password: {
      type: "string",
      short: "p",
      value: "PASSWORD",
      summary: "The password or token; better: --password-stdin",
    },
    "skip-check": { type: "boolean", summary: "Keep the credential without asking the registry" },
    ...CONNECTION_OPTIONS,
  },
  arguments: [{ name: "REGISTRY", summary: "Host and port; Docker Hub without it", optional: true }],
  examples: [
    { command: "echo $TOKEN | dray login ghcr.io -u me --password-stdin", summary: "Log in from a script" },
  ],
  async run({ values, positionals: [registry = "docker.io"] }, context) {
    const host = registry.replace(/^https?:\/\//, "").replace(/\/.*$/, "");
    if (host === "")
      throw new UsageError(`Cannot log in to ${JSON.stringify(registry)}: it is no host`, "login");
    const { username, password } = await findIdentity(values, context);
    const credential: Credential = { kind: "basic", username, password };
    if (values["skip-check"] !== true) {
      const candidate = { credential, origin: { kind: "argument", label: "dray login" } } as const;
      const credentials = new StaticSource([{ registry: host, candidate }]);
      const { username: _name, "password-stdin": _stdin, ...connection } = values;
      await using access = await connect(connection, [host], context, { credentials });
      try {
        await access.checkLogin(host, { signal: context.signal });
      } catch (cause) {
        if (!(cause instanceof ClientError) || cause.code !== "UNAUTHORIZED") throw cause;
        const why = "it does not take this user name and password";
        throw new ClientError(cause.code, `Cannot log in to ${JSON.stringify(host)}: ${why}`, { cause });
      }
    }
    const { env, home, signal } = context;
    const origin = await keepCredential(host, credential, {
      env,
      home,
      signal,
      ...(values.authfile !== undefined && { path: values.authfile }),
    });
    const facts = { registry: host, username, kept: origin.label };
    await context.stdout.write(values.json === true ? `${JSON.stringify(facts)}\n` : "Login Succeeded\n");
    if (values.json !== true) void context.stderr.write(`The credential is kept in ${origin.label}\n`);
  },
});

interface Identity {
  readonly username: string;
  readonly password: Secret;
}

/** What the options say; what they leave out is asked for at a terminal. */
async function findIdentity(
  values: { readonly username?: string; readonly password?: string; readonly "password-stdin"?: boolean },
  context: CommandContext,
): Promise<Identity> {
  const fromStdin = values["password-stdin"] === true;
  if (values.password !== undefined && fromStdin) {
    throw new UsageError("Options --password and --password-stdin contradict each other", "login");
  }
  const asking = context.stdin.isTTY && !fromStdin;
  const prompt = asking ? new Prompt(context) : undefined;
  const username = values.username ?? (await prompt?.ask("Username: "));
  if (username === undefined || username === "") throw new UsageError("dray login needs --username", "login");
  if (values.password !== undefined) return { username, password: new SecretText(values.password) };
  if (fromStdin) return { username, password: await readPassword(context) };
  const password = await prompt?.ask("Password: ", { hidden: true });
  if (password !== undefined && password !== "") return { username, password: new SecretText(password) };
  throw new UsageError(
    "dray login needs a password: add --password-stdin and give it on standard input",
    "login",
  );
}
