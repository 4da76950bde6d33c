import type { AdmissionRecording } from "./recording.ts";
import { replayPlugin } from "./replay-plugin.ts";
import { replayReviews } from "./replay-reviews.ts";

/** What isn't as it was recorded, in one line each. */
export async function replayAdmission(recording: AdmissionRecording): Promise<readonly string[]> {
  return recording.webhook.plugin === undefined
    ? await replayReviews(recording)
    : await replayPlugin(recording);
}
