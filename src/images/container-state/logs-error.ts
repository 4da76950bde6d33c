import { goQuote } from "../../internal/go/quote.ts";

const WORDS: Readonly<Record<string, string>> = {
  ErrImagePull: "image can't be pulled",
  ImagePullBackOff: "trying and failing to pull image",
};

/** What a request for the logs of a waiting container is answered. */
export function logsError(container: string, pod: string, reason: string): string {
  const why = Object.hasOwn(WORDS, reason) ? WORDS[reason] : reason;
  return `container ${goQuote(container)} in pod ${goQuote(pod)} is waiting to start: ${why}`;
}
