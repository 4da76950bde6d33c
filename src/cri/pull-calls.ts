/** The pulls of a service, told to who asks over the same socket. */
import type { ServiceImpl } from "@connectrpc/connect";

import type { PullReport } from "../images/index.ts";
import type { Pull, Pulls } from "./generated/dray/cri_v1_pb.ts";
import type { RunningPulls } from "./running-pulls.ts";

export function pullCalls(pulls: RunningPulls): ServiceImpl<typeof Pulls> {
  return {
    async *watch({ follow }, { signal }) {
      const reports = follow ? pulls.watch({ signal }) : pulls.list();
      for await (const report of reports) yield { pull: toMessage(report) };
    },
  };
}

type PullInit = Omit<Pull, "$typeName" | "contents"> & { contents: ContentInit[] };
type ContentInit = Omit<Pull["contents"][number], "$typeName">;

function toMessage({
  id,
  image,
  podUid,
  phase,
  bytes,
  total,
  contents,
  rate,
  timeLeft,
}: PullReport): PullInit {
  return {
    id: BigInt(id),
    image,
    podUid,
    phase,
    bytes: BigInt(bytes),
    total: BigInt(total),
    contents: contents.map((content) => ({
      digest: content.digest,
      mediaType: content.mediaType,
      size: BigInt(content.size),
      bytes: BigInt(content.bytes),
      phase: content.phase,
    })),
    ...(rate !== undefined && { rate }),
    ...(timeLeft !== undefined && { millisecondsLeft: timeLeft }),
  };
}
