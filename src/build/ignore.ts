/**
 * `.dockerignore`: which files of the context stay out.
 *
 * ```text
 * # comment
 * node_modules        this path, and everything below it
 * *.log               in the top folder only; a star never crosses a slash
 * **\/*.log            in every folder
 * !important.log      taken back in; the last line that matches decides
 * ```
 */
import { BuildError } from "./errors.ts";

export interface IgnoreRules {
  excludes(path: string): boolean;
  /** Whether something below an excluded folder could be taken back in. */
  readonly reincludes: boolean;
}

interface IgnorePattern {
  readonly negated: boolean;
  readonly regexp: RegExp;
}

/** The patterns of an ignore file, without comments and blank lines. */
export function parseIgnoreFile(text: string): readonly string[] {
  return text
    .replace(/^\uFEFF/, "")
    .split("\n")
    .filter((line) => !line.startsWith("#"))
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

/**
 * @throws BuildError `CONFIG_INVALID` for a malformed pattern
 */
export function compileIgnore(patterns: readonly string[]): IgnoreRules {
  const compiled = patterns.map(compilePattern).filter((pattern) => pattern !== undefined);
  return {
    reincludes: compiled.some((pattern) => pattern.negated),
    excludes(path) {
      const prefixes = [path];
      for (let slash = path.lastIndexOf("/"); slash > 0; slash = path.lastIndexOf("/", slash - 1)) {
        prefixes.push(path.slice(0, slash));
      }
      let excluded = false;
      for (const { negated, regexp } of compiled) {
        // A line that can't change the verdict needn't be tried.
        if (negated === excluded && prefixes.some((prefix) => regexp.test(prefix))) excluded = !negated;
      }
      return excluded;
    },
  };
}

function compilePattern(text: string): IgnorePattern | undefined {
  let pattern = text.trim();
  const negated = pattern.startsWith("!");
  if (negated) pattern = pattern.slice(1).trim();
  const parts: string[] = [];
  for (const part of pattern.split("/")) {
    if (part === "" || part === ".") continue;
    if (part === ".." && parts.length > 0) parts.pop();
    else if (part !== "..") parts.push(part);
  }
  if (parts.length === 0) {
    if (pattern === "") throw malformed(text);
    return undefined;
  }
  return {
    negated,
    regexp: new RegExp(`^${parts.map((part, i) => translate(part, i, parts.length, text)).join("")}$`, "su"),
  };
}

/** One path component with the slash behind it, where it has one. */
function translate(part: string, index: number, count: number, whole: string): string {
  const last = index === count - 1;
  if (part === "**") return last ? ".*" : "(?:.*/)?";
  let out = "";
  for (let at = 0; at < part.length; at++) {
    const char = part[at] as string;
    if (char === "*") {
      while (part[at + 1] === "*") {
        at++;
        if (!out.endsWith(".*")) out += ".*";
      }
      if (!out.endsWith(".*")) out += "[^/]*";
    } else if (char === "?") out += "[^/]";
    else if (char === "[") {
      const end = classEnd(part, at);
      if (end === undefined) throw malformed(whole);
      out += translateClass(part.slice(at + 1, end), whole);
      at = end;
    } else if (char === "\\") {
      at++;
      if (at >= part.length) throw malformed(whole);
      out += escape(part[at] as string);
    } else out += escape(char);
  }
  return last ? out : `${out}/`;
}

function classEnd(part: string, start: number): number | undefined {
  for (let at = start + 1; at < part.length; at++) {
    if (part[at] === "\\") at++;
    else if (part[at] === "]" && at > start + 1 && part.slice(start, at) !== "[^") return at;
  }
  return undefined;
}

function translateClass(body: string, whole: string): string {
  const negated = body.startsWith("^");
  let out = "";
  for (const [char] of (negated ? body.slice(1) : body).matchAll(/\\.|-|[^\\]/gsu)) {
    if (char === "-") out += "-";
    else {
      const literal = char.length > 1 && char.startsWith("\\") ? char.slice(1) : char;
      out += literal === "-" ? "\\-" : escape(literal);
    }
  }
  try {
    return new RegExp(negated ? `[^/${out}]` : `(?!/)[${out}]`, "u").source;
  } catch {
    throw malformed(whole);
  }
}

function escape(char: string): string {
  return /[\\^$.*+?()[\]{}|/]/.test(char) ? `\\${char}` : char;
}

function malformed(pattern: string): BuildError {
  return new BuildError(
    "CONFIG_INVALID",
    `Cannot read ignore pattern ${JSON.stringify(pattern)}: it is malformed`,
  );
}
