/** Shows new logins, this once. */
import type { TenantLogins, TenantRecord } from "../../registry/index.ts";
import type { CommandContext } from "../context.ts";
import { accountCommands, formatObjects, tenantObjects } from "./print.ts";

export interface HandOverOptions {
  /** Print objects instead of having applied them. */
  readonly print: boolean;
  readonly json: boolean;
  /** When the logins of before end; milliseconds since the epoch. */
  readonly until?: number | undefined;
}

export async function handOver(
  tenant: TenantRecord,
  logins: TenantLogins,
  options: HandOverOptions,
  { stdout }: CommandContext,
): Promise<void> {
  const { name, registry, namespaces } = tenant;
  const { push } = logins;
  const objects = options.print ? tenantObjects(tenant, logins) : [];
  if (options.json) {
    const told = {
      tenant: name,
      registry,
      prefix: `${name}/`,
      push: { login: push.login, secret: push.secret.reveal() },
      namespaces,
      ...(options.until !== undefined && { oldLoginsEnd: options.until }),
      ...(options.print && { objects, commands: accountCommands(tenant) }),
    };
    await stdout.write(`${JSON.stringify(told)}\n`);
    return;
  }
  const ends =
    options.until === undefined
      ? []
      : [`The logins of before end at ${new Date(options.until).toISOString()}`];
  const lines = [
    `Tenant ${name}: ${registry}/${name}/…`,
    ...ends,
    "To push, log in as this; the secret is shown this once:",
    `  ${push.login}`,
    `  ${push.secret.reveal()}`,
  ];
  if (!options.print) {
    await stdout.write(`${lines.join("\n")}\n`);
    return;
  }
  const commands = options.until === undefined ? accountCommands(tenant) : [];
  const after = commands.length === 0 ? [] : ["Once that is applied, have Pods use it:", ...commands];
  const comments = [...lines, ...after].map((line) => `# ${line}\n`).join("");
  await stdout.write(`${comments}${formatObjects(objects)}`);
}
