import { inspect } from "node:util";

import { DrayError } from "../errors.ts";
import type { CommandContext } from "./context.ts";
import { UsageError } from "./errors.ts";
import { isSystemError } from "./exit-code.ts";
import { printable } from "./terminal/width.ts";

export interface ReportOptions {
  readonly json: boolean;
  readonly debug: boolean;
}

/** Says on stderr, in one sentence, what ended a command; with `--debug` also what caused it. */
export function reportError(error: unknown, context: CommandContext, options: ReportOptions): void {
  const { code, message } = describeError(error);
  if (options.json) {
    void context.stderr.write(`${JSON.stringify({ error: { code, message } })}\n`);
  } else {
    // Lists of faults have a line each, which never begins like one of ours.
    const [first = "", ...more] = message.split("\n");
    const lines = [`dray: ${printable(first)}`, ...more.map((line) => `  ${printable(line.trim())}`)];
    void context.stderr.write(`${lines.join("\n")}\n`);
    if (error instanceof UsageError) {
      const command = error.command === undefined ? "" : ` ${error.command}`;
      void context.stderr.write(`Try: dray${command} --help\n`);
    }
  }
  if (options.debug) void context.stderr.write(formatCauses(error));
}

/** A sentence for people and a stable word for programs. */
export function describeError(error: unknown): { readonly code: string; readonly message: string } {
  if (error instanceof DrayError) return { code: error.code, message: error.message };
  if (isSystemError(error)) return { code: error.code ?? "EIO", message: describeSystemError(error) };
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: "INTERNAL",
    message: `This is a defect in dray: ${message} (run again with --debug to see where)`,
  };
}

const SYSTEM_WORDS: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file or folder",
  EACCES: "permission denied",
  EPERM: "not permitted",
  EEXIST: "it exists already",
  ENOSPC: "no space left on the device",
  EROFS: "the file system is read-only",
  EISDIR: "it is a folder",
  ENOTDIR: "a part of the path is not a folder",
  EMFILE: "too many open files",
  ENAMETOOLONG: "the name is too long",
  ELOOP: "too many symbolic links",
  EDQUOT: "the disk quota is used up",
  EFBIG: "the file is too large",
  EIO: "the device reported an error",
};

/** System calls whose names say little to people. */
const SYSCALL_WORDS: Readonly<Record<string, string>> = {
  mkdir: "make folder",
  scandir: "list folder",
  stat: "look at",
  lstat: "look at",
  unlink: "remove",
  rmdir: "remove",
  mkdtemp: "make folder",
};

/** `Cannot open "/x": permission denied`. */
export function describeSystemError(error: NodeJS.ErrnoException): string {
  const why = SYSTEM_WORDS[error.code ?? ""] ?? error.message;
  const syscall = error.syscall ?? "use";
  return `Cannot ${SYSCALL_WORDS[syscall] ?? syscall} ${JSON.stringify(error.path ?? "a file")}: ${why}`;
}

/** The chain of causes with their stacks. Secrets are objects that show nothing, whoever prints them. */
function formatCauses(error: unknown): string {
  let text = "";
  let depth = 0;
  for (let cause: unknown = error; cause !== undefined && depth < 10; depth++) {
    const body = cause instanceof Error ? (cause.stack ?? cause.message) : inspect(cause, { depth: 2 });
    text += `${depth === 0 ? "" : "caused by: "}${body}\n`;
    cause = cause instanceof Error ? cause.cause : undefined;
  }
  return text;
}
