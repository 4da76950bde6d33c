import { ClientError } from "../../client/index.ts";
import { StaticSource } from "../../credentials/index.ts";
import type { TenantLogin } from "../../registry/index.ts";
import { connect, type ConnectValues } from "../connect.ts";
import type { CommandContext } from "../context.ts";
import { CliError } from "../errors.ts";
import { describeError } from "../report-error.ts";

export interface LoginCheckOptions {
  readonly registry: string;
  /** Where the login was made. */
  readonly folder: string;
  readonly connection: ConnectValues;
}

/**
 * Whether the registry that Pods call takes a login, which it does at once when it has the same data. One that doesn't
 * answer from here may well answer from the cluster.
 *
 * @throws CliError `REGISTRY_MISMATCH`
 */
export async function checkLogin(
  { login, secret }: TenantLogin,
  { registry, folder, connection }: LoginCheckOptions,
  context: CommandContext,
): Promise<void> {
  const credential = { kind: "basic", username: login, password: secret } as const;
  const candidate = { credential, origin: { kind: "argument", label: "dray tenant" } } as const;
  const credentials = new StaticSource([{ registry, candidate }]);
  const retry = { attempts: 1 };
  await using access = await connect(connection, [registry], context, { credentials, retry });
  try {
    await access.checkLogin(registry, { signal: context.signal });
  } catch (cause) {
    context.signal.throwIfAborted();
    const { code, message } = describeError(cause);
    if (cause instanceof ClientError && (code === "UNAUTHORIZED" || code === "DENIED")) {
      const how = `run this where ${registry} keeps its data, and name them with --data-dir or --config`;
      throw new CliError(
        "REGISTRY_MISMATCH",
        `Cannot log in to ${JSON.stringify(registry)} as ${JSON.stringify(login)}: that registry doesn't know what was made in ${JSON.stringify(folder)}; ${how}`,
        { cause },
      );
    }
    void context.stderr.write(`Warning: the new login was not tried: ${message}\n`);
  }
}
