/**
 * Remembers which images were pulled with whose credentials, and so whether a Pod may use one that is here.
 *
 * ```text
 * pull:  recordPullIntent ──► (the pull) ──► recordImagePulled | recordImagePullFailed
 * use:   mustAttemptImagePull
 * start: convertIntents          after a garbage collection: pruneUnknownRecords
 * ```
 */
import { messageOf } from "../message-of.ts";
import { ImagesError } from "../errors.ts";
import { goQuote } from "../../internal/go/quote.ts";
import { METRICS, type MetricSink, NO_METRICS } from "../metrics.ts";
import { trimImageTagDigest } from "../trim-image.ts";
import type { VerificationPolicy } from "../verification-policy.ts";
import {
  type AccessDecision,
  decideByCredentials,
  decideWithoutCredentials,
  type PodCredentials,
} from "./decide-access.ts";
import { mergeIntoRecord } from "./merge.ts";
import type { ImagePullCredentials, ImagePulledRecord } from "./record.ts";
import type { PullRecords } from "./record-shelf.ts";
import { StripedLocks } from "./striped-locks.ts";

export interface PullManagerOptions {
  readonly records: PullRecords;
  readonly policy: VerificationPolicy;
  /** Milliseconds since the epoch. */
  readonly now: () => number;
  readonly metrics?: MetricSink | undefined;
  /** Told what went wrong where going on is right. */
  readonly onWarning?: ((message: string) => void) | undefined;
  /** As many pulls as may run at once; 0 where there is no limit. */
  readonly stripes?: number | undefined;
}

/** An image as a runtime lists it, as far as records go. */
export interface ListedNames {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
}

export class PullManager {
  readonly #records: PullRecords;
  readonly #policy: VerificationPolicy;
  readonly #now: () => number;
  readonly #metrics: MetricSink;
  readonly #warn: (message: string) => void;
  readonly #imageLocks: StripedLocks;
  /** Taken before an image's lock wherever both are. */
  readonly #refLocks: StripedLocks;
  /** Pulls under way, by image. */
  readonly #intents = new Map<string, number>();

  constructor(options: PullManagerOptions) {
    this.#records = options.records;
    this.#policy = options.policy;
    this.#now = options.now;
    this.#metrics = options.metrics ?? NO_METRICS;
    this.#warn = options.onWarning ?? ((): void => {});
    this.#imageLocks = new StripedLocks(options.stripes ?? 1);
    this.#refLocks = new StripedLocks(options.stripes ?? 1);
  }

  /** Pulls of this image that are under way. */
  intentsOf(image: string): number {
    return this.#intents.get(image) ?? 0;
  }

  /**
   * A pull begins. Must be followed by exactly one of the two ends.
   *
   * @throws ImagesError `RECORD_UNWRITABLE`
   */
  async recordPullIntent(image: string): Promise<void> {
    await this.#imageLocks.run(image, async () => {
      try {
        await this.#records.intents.write({ image });
      } catch (error) {
        const message = `failed to record image pull intent: ${messageOf(error)}`;
        throw new ImagesError("RECORD_UNWRITABLE", message, { cause: error });
      }
      this.#intents.set(image, this.intentsOf(image) + 1);
    });
  }

  /**
   * The pull came to an image, with these credentials. Never throws: where the record can't be written the intent
   * stays, so that the image still counts as pulled by us.
   */
  async recordImagePulled(
    image: string,
    imageRef: string,
    credentials: ImagePullCredentials | undefined,
  ): Promise<void> {
    try {
      await this.#writePulled(image, imageRef, credentials);
    } catch (error) {
      this.#warn(`failed to write image pulled record for ${goQuote(imageRef)}: ${messageOf(error)}`);
      return;
    }
    await this.#endIntent(image);
  }

  /** The pull came to nothing. Never throws. */
  async recordImagePullFailed(image: string): Promise<void> {
    await this.#endIntent(image);
  }

  /**
   * Whether a Pod must pull the image although it may be here. Never throws; a failure to find the Pod's credentials
   * is the decision's cause.
   *
   * @param imageRef the runtime's id of the image, empty when it isn't here
   * @param findCredentials called at most once, and only where credentials decide
   */
  async mustAttemptImagePull(
    image: string,
    imageRef: string,
    findCredentials: () => Promise<PodCredentials>,
  ): Promise<AccessDecision> {
    if (imageRef === "") return { mustPull: true, because: "image-absent", result: undefined };
    const decision = await this.#decide(image, imageRef, findCredentials);
    if (decision.result !== undefined)
      this.#metrics.count(METRICS.mustPullChecks, { result: decision.result });
    if (decision.learn !== undefined) {
      try {
        await this.#writePulled(image, imageRef, { kubernetesSecrets: [decision.learn] });
      } catch (error) {
        this.#warn(`failed to add a secret to the record of ${goQuote(imageRef)}: ${messageOf(error)}`);
      }
    }
    return decision;
  }

  /** Deletes the records of images that aren't listed, unless they changed at `until` or later. */
  async pruneUnknownRecords(imageRefs: Iterable<string>, until: number): Promise<void> {
    const known = new Set(imageRefs);
    await this.#refLocks.runAll(async () => {
      const { records, error } = await this.#records.pulled.list();
      if (error !== undefined) this.#warn(`failed to list pulled records: ${error.message}`);
      for (const { imageRef, lastUpdatedTime } of records) {
        if (known.has(imageRef) || (lastUpdatedTime ?? Number.NEGATIVE_INFINITY) >= until) continue;
        try {
          await this.#records.pulled.delete(imageRef);
        } catch (error) {
          this.#warn(`failed to delete the record of ${goQuote(imageRef)}: ${messageOf(error)}`);
        }
      }
    });
  }

  /**
   * Turns the intents that an earlier run left behind into records, for those images that are here after all. Their
   * credentials are unknown. Names are compared as texts, so an intent for a short name stays an intent.
   */
  async convertIntents(listImages: () => Promise<readonly ListedNames[]>): Promise<void> {
    const { records, error } = await this.#records.intents.list();
    if (error !== undefined) this.#warn(`failed to list pull intents: ${error.message}`);
    if (records.length === 0) return;
    const intended = new Set(records.map(({ image }) => image));
    for (const { id, repoTags, repoDigests } of await listImages()) {
      for (const name of [...repoDigests, ...repoTags]) {
        if (!intended.has(name)) continue;
        try {
          await this.#writePulled(name, id, undefined);
          await this.#records.intents.delete(name);
        } catch (error) {
          this.#warn(`failed to convert the pull intent of ${goQuote(name)}: ${messageOf(error)}`);
        }
      }
    }
  }

  async #decide(
    image: string,
    imageRef: string,
    findCredentials: () => Promise<PodCredentials>,
  ): Promise<AccessDecision> {
    let facts: { readonly record: ImagePulledRecord | undefined; readonly intended: boolean };
    try {
      facts = await this.#refLocks.run(imageRef, () =>
        this.#imageLocks.run(image, async () => {
          const record = await this.#records.pulled.find(imageRef);
          return { record, intended: record !== undefined || (await this.#isIntended(image)) };
        }),
      );
    } catch (error) {
      // Before the policy is asked, and so even where it would never verify.
      this.#warn(`failed to read the records of ${goQuote(image)}: ${messageOf(error)}`);
      return { mustPull: true, because: "record-unreadable", result: "error", cause: error };
    }
    const decision = decideWithoutCredentials({ image, policy: this.#policy, ...facts });
    if ("because" in decision) return decision;
    let credentials: PodCredentials;
    try {
      credentials = await findCredentials();
    } catch (error) {
      const { verification } = decision;
      return {
        mustPull: true,
        because: "credentials-unavailable",
        result: "error",
        verification,
        cause: error,
      };
    }
    return decideByCredentials(decision, credentials);
  }

  async #isIntended(image: string): Promise<boolean> {
    return this.intentsOf(image) > 0 || (await this.#records.intents.find(image)) !== undefined;
  }

  async #endIntent(image: string): Promise<void> {
    await this.#imageLocks.run(image, async () => {
      const count = this.intentsOf(image);
      if (count > 1) {
        this.#intents.set(image, count - 1);
        return;
      }
      try {
        await this.#records.intents.delete(image);
      } catch (error) {
        this.#warn(`failed to remove the pull intent of ${goQuote(image)}: ${messageOf(error)}`);
        return;
      }
      this.#intents.delete(image);
    });
  }

  async #writePulled(
    image: string,
    imageRef: string,
    credentials: ImagePullCredentials | undefined,
  ): Promise<void> {
    const name = nameOf(image);
    await this.#refLocks.run(imageRef, async () => {
      const merged = this.#merge(await this.#findOrNothing(imageRef), { name, imageRef, credentials });
      if (merged === undefined) return;
      await this.#records.pulled.write({ ...merged, lastUpdatedTime: this.#now() });
    });
  }

  /** The record to write; `undefined` when the old one says it all. */
  #merge(
    record: ImagePulledRecord | undefined,
    added: {
      readonly name: string;
      readonly imageRef: string;
      readonly credentials: ImagePullCredentials | undefined;
    },
  ): ImagePulledRecord | undefined {
    const { name, imageRef, credentials } = added;
    if (record === undefined) {
      const credentialMapping = new Map(credentials === undefined ? [] : [[name, credentials]]);
      return { lastUpdatedTime: undefined, imageRef, credentialMapping };
    }
    const { value, changed } = mergeIntoRecord(record, name, credentials);
    return changed ? value : undefined;
  }

  /** A record that can't be read is no record: the new one takes its place. */
  async #findOrNothing(imageRef: string): Promise<ImagePulledRecord | undefined> {
    try {
      return await this.#records.pulled.find(imageRef);
    } catch (error) {
      this.#warn(`failed to read the record of ${goQuote(imageRef)}: ${messageOf(error)}`);
      return undefined;
    }
  }
}

function nameOf(image: string): string {
  try {
    return trimImageTagDigest(image);
  } catch (error) {
    if (!(error instanceof ImagesError)) throw error;
    throw new ImagesError("IMAGE_NAME_INVALID", `invalid image name ${goQuote(image)}: ${error.message}`, {
      cause: error,
    });
  }
}
