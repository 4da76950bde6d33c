/** Versions that clients name: of the state they want to read, and of the object they mean to replace. */
import { GoError } from "../../internal/go/errors.ts";
import { goQuote } from "../../internal/go/quote.ts";
import { badRequest, conflict, failure, unexplained } from "../../kubernetes/index.ts";
import type { StoredObject } from "../storage/storage.ts";
import type { ApiCall, ApiContext } from "./context.ts";
import { resourceSubject } from "./names.ts";

const MODIFIED =
  "the object has been modified; please apply your changes to the latest version and try again";
const LARGEST = 2n ** 64n - 1n;
/** Milliseconds for which a state that lies ahead is waited for. */
const PATIENCE = 3_000;

/** @throws StatusError for what isn't one */
export function parseRevision(text: string): number {
  try {
    return Number(parseUnsigned(text));
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    const value = `Invalid value: ${goQuote(text)}`;
    throw badRequest(`invalid resource version: resourceVersion: ${value}: ${error.message}`);
  }
}

/**
 * Whoever read a version elsewhere may be ahead of us a little.
 *
 * @throws StatusError with code 504 when it doesn't come
 */
export async function awaitRevision(
  { storage, clock }: Pick<ApiContext, "storage" | "clock">,
  revision: number,
  signal: AbortSignal,
): Promise<void> {
  if (revision <= storage.revision) return;
  const there = new AbortController();
  const unsubscribe = storage.subscribe(() => {
    if (revision <= storage.revision) there.abort();
  });
  try {
    await clock.wait(PATIENCE, AbortSignal.any([signal, there.signal]));
  } catch (error) {
    if (!there.signal.aborted) throw error;
  } finally {
    unsubscribe();
  }
  const current = storage.revision;
  if (revision <= current) return;
  throw failure("Timeout", `Timeout: Too large resource version: ${revision}, current: ${current}`, {
    causes: [{ reason: "ResourceVersionTooLarge", message: "Too large resource version" }],
    retryAfterSeconds: 1,
  });
}

/**
 * Whether an object may take the place of what is there; none, and 0, may always.
 *
 * @throws StatusError
 */
export function checkRevision(
  call: Pick<ApiCall, "resource" | "name">,
  resourceVersion: string | undefined,
  stored: StoredObject,
): void {
  if (resourceVersion === undefined || resourceVersion === "") return;
  const sent = replacedRevision(resourceVersion);
  if (sent !== 0n && sent !== BigInt(stored.revision)) throw conflict(resourceSubject(call), MODIFIED);
}

/** What isn't one is told without a reason, and with the code of a defect. */
function replacedRevision(text: string): bigint {
  try {
    return parseUnsigned(text);
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw unexplained(error.message);
  }
}

function parseUnsigned(text: string): bigint {
  const fail = (why: string): GoError => new GoError(`strconv.ParseUint: parsing ${goQuote(text)}: ${why}`);
  if (!/^\d+$/.test(text)) throw fail("invalid syntax");
  // Not made a number before it is known to be a short one.
  const digits = text.replace(/^0+(?=\d)/, "");
  if (digits.length > 20 || BigInt(digits) > LARGEST) throw fail("value out of range");
  return BigInt(digits);
}
