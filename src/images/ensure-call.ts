import type { TrackedCredential } from "../credentials/index.ts";
import { formatDuration } from "../internal/go/duration.ts";
import { goQuote } from "../internal/go/quote.ts";
import { messageOf } from "./message-of.ts";
import type { FailureReason } from "./classify-pull-error.ts";
import type { PullDecision } from "./decide-pull.ts";
import type { EnsureFailure, EnsureRequest, EnsureSuccess, ImageEvent } from "./ensure.ts";
import type { RuntimeImage } from "./image-runtime.ts";

/** One call of `ensure`, with what becomes known on its way. */
export class EnsureCall {
  readonly request: EnsureRequest;
  /** The image with its default tag. */
  tagged = "";
  present: "unknown" | "true" | "false" = "unknown";
  required: "unknown" | "true" | "false" = "unknown";
  readonly #lookUp: (tagged: string) => Promise<readonly TrackedCredential[] | undefined>;
  #credentials: Promise<readonly TrackedCredential[] | undefined> | undefined;

  constructor(
    request: EnsureRequest,
    lookUp: (tagged: string) => Promise<readonly TrackedCredential[] | undefined>,
  ) {
    this.request = request;
    this.#lookUp = lookUp;
  }

  tell(event: ImageEvent): void {
    this.request.onEvent?.(event);
  }

  /** Looks once, when first asked; the answer, or the failure, is kept. */
  findCredentials(): Promise<readonly TrackedCredential[] | undefined> {
    return (this.#credentials ??= this.#lookUp(this.tagged));
  }
}

export interface Times {
  readonly duration: number;
  readonly durationWithWaiting: number;
}

export function succeed(
  image: RuntimeImage,
  rest: Omit<EnsureSuccess, "imageRef" | "digest" | "size">,
): EnsureSuccess {
  return { ...rest, imageRef: image.id, digest: image.digest, size: image.size };
}

/** A failure that the kubelet has no word for: its text is the reason, too. */
export function failWithText(decision: PullDecision | undefined, cause: unknown): EnsureFailure {
  const message = messageOf(cause);
  const reason: FailureReason = message;
  return { state: "failed", decision, reason, message, cause };
}

export function keyOf({ podUid, image }: Pick<EnsureRequest, "image" | "podUid">): string {
  return `${podUid}_${image}`;
}

export function describePull(image: string, { size }: RuntimeImage, times: Times): string {
  const pull = wholeMilliseconds(times.duration);
  const total = wholeMilliseconds(times.durationWithWaiting);
  return `Successfully pulled image ${goQuote(image)} in ${pull} (${total} including waiting). Image size: ${size} bytes.`;
}

function wholeMilliseconds(milliseconds: number): string {
  return formatDuration(BigInt(Math.trunc(milliseconds)) * 1_000_000n);
}
