import { encodeAuthConfig, hashAuthConfig, Secret } from "../../../src/credentials/index.ts";
import type { Topic } from "../topic.ts";

export const topic: Topic = {
  check(vector) {
    const given = vector["authConfig"] as Readonly<Record<string, string>>;
    // The vectors may spell a member as in Go or as in JSON.
    const members = new Map(Object.entries(given).map(([name, value]) => [name.toLowerCase(), value]));
    const secret = (name: string): Secret => new Secret(members.get(name) ?? "");
    const config = {
      username: members.get("username"),
      password: secret("password"),
      auth: secret("auth"),
      email: members.get("email"),
      serverAddress: members.get("serveraddress"),
      identityToken: secret("identitytoken"),
      registryToken: secret("registrytoken"),
    };
    return {
      actual: { json: encodeAuthConfig(config), hash: hashAuthConfig(config) },
      expected: { json: vector["json"], hash: vector["hash"] },
    };
  },
};
