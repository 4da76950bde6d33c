/** Replays a folder of kubectl's conversations against a fresh API server of ours. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

import { openApiServer } from "../../../src/apiserver/index.ts";
import type { Documents } from "./documents.ts";
import { isRecord } from "./json.ts";
import { readCommands } from "./recording.ts";
import { type CommandOutcome, CommandReplay } from "./replay.ts";

/** In the order of the recorded run. */
export async function* replayCommands(folder: string): AsyncGenerator<CommandOutcome> {
  const commands = readCommands(folder);
  const work = mkdtempSync(join(tmpdir(), "dray-api-"));
  try {
    await using api = await openApiServer({ folder: work });
    const fetch = (request: Request): Promise<Response> => {
      request.headers.set("Authorization", `Bearer ${api.adminToken.reveal()}`);
      return api.fetch(request);
    };
    const replay = new CommandReplay({ fetch, storage: api.storage }, commands, readDocuments(folder));
    for (const command of commands) yield await replay.replay(command);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** Those that several recordings quote, from the file that holds them whole. */
function readDocuments(folder: string): Documents {
  for (const name of readdirSync(folder)) {
    if (!name.endsWith(".json")) continue;
    const content: unknown = JSON.parse(readFileSync(join(folder, name), "utf8"));
    if (isRecord(content) && isRecord(content["documents"])) return content["documents"] as Documents;
  }
  return {};
}
