import { type ChildProcess, execFile, spawn } from "node:child_process";
import { accessSync, constants } from "node:fs";
import { constants as osConstants } from "node:os";

import { PERL, PYTHON, SYSCALLS } from "./attribute-scripts.ts";

export type NodeType = "character-device" | "block-device" | "fifo";

/** What comes back: nothing, or the word of the system's error, such as `EPERM`. */
export type Outcome = string | undefined;

/** Does for us what Node can't. Paths are byte strings; their last component is never followed. */
export interface AttributeHelper {
  setXattr(path: string, name: string, value: Uint8Array): Promise<Outcome>;
  /** A value, or the error's word: `ENODATA` where there is none. */
  getXattr(path: string, name: string): Promise<Uint8Array | string>;
  /** The names of what there is; none where that can't be told. */
  listXattrs(path: string): Promise<readonly string[]>;
  makeNode(path: string, node: NodeRequest): Promise<Outcome>;
  close(): Promise<void>;
}

export interface NodeRequest {
  readonly type: NodeType;
  readonly major: number;
  readonly minor: number;
}

/** Where programs are looked for: a root's unpacking shouldn't run whatever a PATH leads to. */
const FOLDERS = ["/usr/bin", "/bin", "/usr/sbin", "/sbin", "/usr/local/bin"];

const TYPE_BITS: Readonly<Record<NodeType, number>> = {
  "character-device": 0o020000,
  "block-device": 0o060000,
  fifo: 0o010000,
};

/** Which programs can help; all three unless said otherwise. */
export type HelperKind = "perl" | "python3" | "commands";

/**
 * Starts the first kind that this machine has: Perl, which Debian can't be without, Python, or `setfattr`, `mknod` and
 * `mkfifo` one process at a time.
 */
export function startHelper(
  kinds: readonly HelperKind[] = ["perl", "python3", "commands"],
): AttributeHelper | undefined {
  for (const kind of kinds) {
    if (kind === "commands") return new CommandHelper();
    const program = findProgram(kind);
    const numbers = SYSCALLS[process.arch];
    if (program === undefined || (kind === "perl" && numbers === undefined)) continue;
    const args = kind === "perl" ? ["-e", PERL, ...(numbers ?? []).map(String)] : ["-S", "-E", "-c", PYTHON];
    return new ScriptHelper(program, args);
  }
  return undefined;
}

class ScriptHelper implements AttributeHelper {
  readonly #child: ChildProcess;
  readonly #ended: Promise<void>;
  readonly #waiting: ((line: string) => void)[] = [];
  #text = "";
  #gone = false;

  constructor(program: string, args: readonly string[]) {
    this.#child = spawn(program, [...args], {
      stdio: ["pipe", "pipe", "ignore"],
      env: { LC_ALL: "C" },
      cwd: "/",
    });
    this.#child.stdin?.on("error", () => {});
    this.#child.stdout?.setEncoding("latin1").on("data", (text: string) => this.#read(text));
    this.#ended = new Promise((resolve) => {
      const end = (): void => {
        this.#gone = true;
        for (const answer of this.#waiting.splice(0)) answer("5");
        resolve();
      };
      this.#child.on("error", end).on("close", end);
    });
  }

  async setXattr(path: string, name: string, value: Uint8Array): Promise<Outcome> {
    const line = `set ${hex(path)} ${Buffer.from(name).toString("hex")} ${Buffer.from(value).toString("hex")}`;
    return errorWord(await this.#ask(line));
  }

  async getXattr(path: string, name: string): Promise<Uint8Array | string> {
    const answer = await this.#ask(`get ${hex(path)} ${Buffer.from(name).toString("hex")}`);
    return answer.startsWith("0 ") ? Buffer.from(answer.slice(2), "hex") : (errorWord(answer) ?? "EIO");
  }

  async listXattrs(path: string): Promise<readonly string[]> {
    const answer = await this.#ask(`list ${hex(path)}`);
    const names = Buffer.from(answer.slice(2), "hex").toString("utf8");
    return names.split("\0").filter((name) => name !== "");
  }

  async makeNode(path: string, { type, major, minor }: NodeRequest): Promise<Outcome> {
    return errorWord(await this.#ask(`node ${hex(path)} ${TYPE_BITS[type] | 0o600} ${major} ${minor}`));
  }

  async close(): Promise<void> {
    this.#child.stdin?.end();
    await this.#ended;
  }

  async #ask(line: string): Promise<string> {
    if (this.#gone) return "5";
    return await new Promise((resolve) => {
      this.#waiting.push(resolve);
      this.#child.stdin?.write(`${line}\n`);
    });
  }

  #read(text: string): void {
    const lines = (this.#text + text).split("\n");
    this.#text = lines.pop() ?? "";
    for (const line of lines) this.#waiting.shift()?.(line);
  }
}

/** A process for each request: slow, but made of what even small systems have. */
class CommandHelper implements AttributeHelper {
  async setXattr(path: string, name: string, value: Uint8Array): Promise<Outcome> {
    const hexValue = `0x${Buffer.from(value).toString("hex")}`;
    return (await runProgram("setfattr", ["-h", "-n", name, "-v", hexValue, "--", text(path)])).failure;
  }

  async getXattr(path: string, name: string): Promise<Uint8Array | string> {
    const args = ["-h", "--absolute-names", "-e", "hex", "-n", name, "--", text(path)];
    const { failure, output } = await runProgram("getfattr", args);
    if (failure !== undefined) return failure;
    return Buffer.from(/=0x([0-9a-f]*)$/im.exec(output)?.[1] ?? "", "hex");
  }

  async listXattrs(path: string): Promise<readonly string[]> {
    const { output } = await runProgram("getfattr", ["-h", "--absolute-names", "-m", "-", "--", text(path)]);
    return output.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
  }

  async makeNode(path: string, { type, major, minor }: NodeRequest): Promise<Outcome> {
    if (type === "fifo") return (await runProgram("mkfifo", ["-m", "0600", text(path)])).failure;
    const letter = type === "character-device" ? "c" : "b";
    const args = ["-m", "0600", text(path), letter, String(major), String(minor)];
    return (await runProgram("mknod", args)).failure;
  }

  close(): Promise<void> {
    return Promise.resolve();
  }
}

interface ProgramResult {
  readonly failure: Outcome;
  readonly output: string;
}

/** What programs print for errors where the locale is C. */
const PRINTED: readonly (readonly [RegExp, string])[] = [
  [/Operation not supported/, "ENOTSUP"],
  [/Operation not permitted/, "EPERM"],
  [/Permission denied/, "EACCES"],
  [/No such attribute/, "ENODATA"],
  [/File exists/, "EEXIST"],
  [/No space left/, "ENOSPC"],
  [/Invalid argument|invalid (?:major|minor)/, "EINVAL"],
];

async function runProgram(name: string, args: readonly string[]): Promise<ProgramResult> {
  const program = findProgram(name);
  if (program === undefined) return { failure: "ENOSYS", output: "" };
  return await new Promise((resolve) => {
    execFile(program, [...args], { env: { LC_ALL: "C" }, cwd: "/" }, (error, stdout, stderr) => {
      const word = PRINTED.find(([pattern]) => pattern.test(stderr))?.[1] ?? "EIO";
      resolve({ failure: error === null ? undefined : word, output: stdout });
    });
  });
}

function findProgram(name: string): string | undefined {
  return FOLDERS.map((folder) => `${folder}/${name}`).find((path) => {
    try {
      accessSync(path, constants.X_OK);
      return true;
    } catch {
      return false;
    }
  });
}

const ERROR_WORDS: ReadonlyMap<number, string> = new Map(
  Object.entries(osConstants.errno).map(([word, number]) => [number, word]),
);

function errorWord(answer: string): Outcome {
  if (answer === "0") return undefined;
  const number = Number(answer);
  // Linux has one number for two words; the attribute calls mean this one.
  if (number === osConstants.errno.ENOTSUP) return "ENOTSUP";
  return ERROR_WORDS.get(number) ?? "EIO";
}

function hex(path: string): string {
  return Buffer.from(path, "latin1").toString("hex");
}

/** Programs get a name's bytes only where they are UTF-8: Node's arguments are text. */
function text(path: string): string {
  return Buffer.from(path, "latin1").toString("utf8");
}
