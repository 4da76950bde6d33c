/** The other side: being the exec plugin that a kubelet asks. */
import type { GoDuration } from "../../internal/go/duration.ts";
import { GoError } from "../../internal/go/errors.ts";
import type { CredentialSource } from "../credential.ts";
import { CredentialsError } from "../errors.ts";
import { registryOf } from "./cache-key.ts";
import { decodeProviderRequest, encodeProviderResponse, type ProviderResponse } from "./provider-api.ts";

export interface AnswerOptions {
  /** How far an answer reaches; the image alone by default, as a source may know repositories apart. */
  readonly cacheKeyType?: "Image" | "Registry" | "Global" | undefined;
  /** How long the kubelet may keep it; as its configuration says by default. */
  readonly cacheDuration?: GoDuration | undefined;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Reads a kubelet's request and answers it from a source: the line for stdout, which holds the password. The protocol
 * has room for one user and password; of several the first is given, and tokens can't be.
 *
 * @throws CredentialsError `PROVIDER_FAILED` for what isn't a request
 */
export async function answerProviderRequest(
  input: Uint8Array | string,
  source: CredentialSource,
  options: AnswerOptions = {},
): Promise<string> {
  const { apiVersion, image } = decode(input);
  const host = registryOf(image);
  const repository = image.slice(host.length + 1);
  const candidates = await source.find({ host, repository }, { signal: options.signal });
  const basic = candidates.map(({ credential }) => credential).find(({ kind }) => kind === "basic");
  const { cacheKeyType = "Image", cacheDuration } = options;
  const key = cacheKeyType === "Image" ? image : host;
  const auth: ProviderResponse["auth"] =
    basic?.kind === "basic"
      ? new Map([[key, { username: basic.username, password: basic.password }]])
      : new Map();
  return encodeProviderResponse(apiVersion, { cacheKeyType, cacheDuration, auth });
}

function decode(input: Uint8Array | string): ReturnType<typeof decodeProviderRequest> {
  try {
    return decodeProviderRequest(input);
  } catch (cause) {
    if (!(cause instanceof GoError)) throw cause;
    throw new CredentialsError("PROVIDER_FAILED", `Cannot read the credential request: ${cause.message}`, {
      cause,
    });
  }
}
