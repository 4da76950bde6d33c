import { join } from "node:path";

/** What of the surroundings decides where credentials are. */
export interface CredentialEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** The user's home directory. */
  readonly home: string;
}

/** Files that may hold credentials; the first that exists is the one. */
export function configCandidates({ env, home }: CredentialEnvironment): readonly string[] {
  const runtime = env["XDG_RUNTIME_DIR"];
  return [
    join(env["DOCKER_CONFIG"] || join(home, ".docker"), "config.json"),
    ...(env["REGISTRY_AUTH_FILE"] ? [env["REGISTRY_AUTH_FILE"]] : []),
    ...(runtime ? [join(runtime, "containers", "auth.json")] : []),
    join(env["XDG_CONFIG_HOME"] || join(home, ".config"), "containers", "auth.json"),
  ];
}
