import {
  answerProviderRequest,
  ChainSource,
  type CredentialSource,
  DockerConfigSource,
} from "../../credentials/index.ts";
import { parseDuration } from "../../internal/go/duration.ts";
import { GoError } from "../../internal/go/errors.ts";
import { type Command, defineCommand } from "../command.ts";
import type { CommandContext } from "../context.ts";
import { UsageError } from "../errors.ts";
import { NODE_CREDENTIAL_OPTIONS } from "../up/node-credential-options.ts";
import { openExtensions } from "../up/open-extensions.ts";

export const credentialProvider: Command = defineCommand({
  name: "credential-provider",
  summary: "Answer a kubelet's request for credentials, as an exec credential provider",
  details: [
    "Reads a CredentialProviderRequest from standard input and writes the CredentialProviderResponse to standard output. The credentials are those of all other commands: Docker's and Podman's files and credential helpers, after the extensions named here. Put the program into the kubelet's --image-credential-provider-bin-dir, and into its CredentialProviderConfig a provider with name: dray and args: [\"credential-provider\"].",
    "The answer holds a password: it is for the kubelet alone. Where nothing is known of an image, it is empty, and the kubelet goes on to what else it has.",
  ],
  options: {
    "cache-key-type": {
      type: "string",
      value: "TYPE",
      choices: ["Image", "Registry", "Global"],
      summary: "How far an answer reaches; Image by default, as credentials may differ by repository",
    },
    "cache-duration": {
      type: "string",
      value: "DURATION",
      summary: "How long the kubelet may keep an answer; as its configuration says by default",
    },
    "credential-extension": {
      type: "string",
      value: "MODULE",
      multiple: true,
      summary: "A module that exports createCredentialSource(), asked first",
    },
    "extension-settings": NODE_CREDENTIAL_OPTIONS["extension-settings"],
    authfile: { type: "string", value: "FILE", summary: "Read credentials from this file" },
  },
  arguments: [],
  examples: [
    {
      command: "dray credential-provider --cache-duration 10m",
      summary: "Answer the request on standard input, good for ten minutes",
    },
  ],
  async run({ values }, context) {
    const { env, home, signal, stdout, cwd } = context;
    const path = values.authfile;
    const modules = values["credential-extension"] ?? [];
    const sources: readonly CredentialSource[] = [
      ...(await openExtensions(modules, { cwd, settings: values["extension-settings"] })),
      new DockerConfigSource({ env, home, ...(path !== undefined && { path }) }),
    ];
    const type = values["cache-key-type"];
    const answer = await answerProviderRequest(await readInput(context), new ChainSource(sources), {
      // The choices of the option are exactly these.
      cacheKeyType: type as "Image" | "Registry" | "Global" | undefined,
      cacheDuration: readCacheDuration(values["cache-duration"]),
      signal,
    });
    await stdout.write(answer);
  },
});

/** A request is a name, a token and some annotations. */
const MAX_REQUEST = 4 * 1024 * 1024;

async function readInput({ stdin }: CommandContext): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of stdin) {
    length += chunk.length;
    if (length > MAX_REQUEST) throw new UsageError("Cannot read the request: it is larger than 4 MiB");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function readCacheDuration(text: string | undefined): bigint | undefined {
  try {
    return text === undefined ? undefined : parseDuration(text);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    const what = `Option --cache-duration does not take ${JSON.stringify(text)}: write 90s, 10m or 36h`;
    throw new UsageError(what, "credential-provider");
  }
}
