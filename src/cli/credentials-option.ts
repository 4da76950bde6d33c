import {
  type Credential,
  type CredentialSource,
  DockerConfigSource,
  Secret,
  StaticSource,
} from "../credentials/index.ts";
import type { CommandContext } from "./context.ts";
import { UsageError } from "./errors.ts";

export interface CredentialValues {
  readonly username?: string;
  readonly "password-stdin"?: boolean;
  readonly authfile?: string;
}

/** Who the command line says we are to these registries; Docker's and Podman's files where it says nothing. */
export async function credentialSource(
  values: CredentialValues,
  registries: readonly string[],
  context: CommandContext,
): Promise<CredentialSource> {
  if (values.username === undefined && values["password-stdin"] !== true) {
    const { env, home } = context;
    return new DockerConfigSource({
      env,
      home,
      ...(values.authfile !== undefined && { path: values.authfile }),
    });
  }
  if (values.username === undefined)
    throw new UsageError("Option --password-stdin needs --username beside it");
  const password =
    values["password-stdin"] === true
      ? await readPassword(context)
      : requirePassword(context.env["DRAY_PASSWORD"]);
  const credential: Credential = { kind: "basic", username: values.username, password };
  const candidate = { credential, origin: { kind: "argument", label: "--username" } } as const;
  return new StaticSource(registries.map((registry) => ({ registry, candidate })));
}

/** All of standard input but its last line break. */
export async function readPassword({ stdin }: CommandContext): Promise<Secret> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    length += chunk.length;
    if (length > 65_536)
      throw new UsageError("Cannot read the password: standard input holds more than 64 KiB");
    chunks.push(chunk);
  }
  const text = Buffer.concat(chunks)
    .toString("utf8")
    .replace(/\r?\n$/, "");
  if (text === "") throw new UsageError("Cannot read the password: standard input is empty");
  return new Secret(text);
}

function requirePassword(text: string | undefined): Secret {
  if (text === undefined || text === "") {
    throw new UsageError("Option --username needs a password: add --password-stdin, or set DRAY_PASSWORD");
  }
  return new Secret(text);
}
