/**
 * Commands, and the wiring of all the rooms.
 *
 * ```ts
 * import { run } from "dray/cli";
 *
 * const code = await run(["digest", "oci:layout:1.0"], context); // never throws; tells failures on context.stderr
 * ```
 */
export { type Clock, type CommandContext, type Input, type Output } from "./context.ts";
export { CliError, type CliErrorCode } from "./errors.ts";
export { EXIT_CODES, exitCodeOf } from "./exit-code.ts";
export { formatCliDocs } from "./format-docs.ts";
export { createProcessContext, endProcess, type ProcessContext } from "./process-context.ts";
export { run } from "./run.ts";
export { runUp, type UpOptions, type UpResult } from "./up/run-up.ts";
export { startHints } from "./up/start-hints.ts";
