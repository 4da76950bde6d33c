/** The process entry: streams, signals and the exit code around {@link run}. */
import { createProcessContext, endProcess } from "./process-context.ts";
import { run } from "./run.ts";

const entry = createProcessContext();
await endProcess(await run(process.argv.slice(2), entry.context), entry);
