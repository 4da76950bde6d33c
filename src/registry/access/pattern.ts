/**
 * Which repositories a rule speaks of.
 *
 * ```text
 * pattern ::= part ("/" part)*
 * part    ::= "**"                              any number of parts, none included
 *           | (letters | "*" | "{user}")+       "*" is any text within the part, "{user}" the caller's name
 *
 * team/**        team, team/app, team/app/web          team/*       team/app alone
 * users/{user}/**  a corner for everyone who logs in   **  /web     web, team/web  (written without the spaces)
 * ```
 *
 * A pattern is matched without backtracking, so no name and no pattern can make it slow.
 */

/** The texts between the stars of one part; `undefined` is `**`. */
type Part = readonly string[] | undefined;

export class RepositoryPattern {
  readonly text: string;
  readonly #parts: readonly Part[];

  private constructor(text: string, parts: readonly Part[]) {
    this.text = text;
    this.#parts = parts;
  }

  /** The pattern, or what is wrong with it. */
  static parse(text: string): RepositoryPattern | { readonly fault: string } {
    if (text === "") return { fault: 'is empty; "**" stands for all repositories' };
    const parts = text.split("/");
    if (parts.includes(""))
      return { fault: "has an empty part; write one slash between two parts, and none around" };
    for (const part of parts) {
      if (part === "**") continue;
      if (part.includes("**"))
        return { fault: 'has "**" beside other text; it has to stand between slashes alone' };
      const rest = part.replaceAll("{user}", "").replaceAll("*", "");
      const strange = /[^a-z0-9._-]/.exec(rest)?.[0];
      if (strange !== undefined) {
        return {
          fault: `has ${JSON.stringify(strange)}; repositories are of a-z, 0-9, ".", "_", "-" and slashes`,
        };
      }
    }
    return new RepositoryPattern(
      text,
      parts.map((part) => (part === "**" ? undefined : part.split("*"))),
    );
  }

  /** The same where nobody asks, so that `{user}` would match nothing. */
  static parseWithoutUser(text: string): RepositoryPattern | { readonly fault: string } {
    const fault = 'has {user}, which only policies know; write "*" for any of them';
    return text.includes("{user}") ? { fault } : RepositoryPattern.parse(text);
  }

  /** `user` is put in as it is; a name that is no part of a repository's name matches nothing. */
  matches(repository: string, user: string | undefined): boolean {
    const names = repository.split("/");
    const parts = this.#parts;
    let [at, name] = [0, 0];
    // Where to come back to: the last "**", and the first name it hasn't swallowed yet.
    let [star, swallowed] = [-1, 0];
    while (name < names.length) {
      if (at < parts.length && parts[at] === undefined) {
        star = at++;
        swallowed = name;
      } else if (
        at < parts.length &&
        matchesPart(parts[at] as readonly string[], names[name] as string, user)
      ) {
        at++;
        name++;
      } else if (star >= 0) {
        at = star + 1;
        name = ++swallowed;
      } else {
        return false;
      }
    }
    while (at < parts.length && parts[at] === undefined) at++;
    return at === parts.length;
  }

  /** What every repository begins with that it matches for this user; `undefined` when there can be none. */
  prefixFor(user: string | undefined): string | undefined {
    const whole: string[] = [];
    for (const part of this.#parts) {
      if (part === undefined) return whole.join("/");
      const texts = part.map((text) => fill(text, user));
      if (texts.includes(undefined)) return undefined;
      whole.push(texts[0] as string);
      if (part.length > 1) return whole.join("/");
    }
    return whole.join("/");
  }
}

function matchesPart(texts: readonly string[], name: string, user: string | undefined): boolean {
  const first = fill(texts[0] as string, user);
  if (first === undefined || !name.startsWith(first)) return false;
  if (texts.length === 1) return name.length === first.length;
  let at = first.length;
  for (const text of texts.slice(1, -1)) {
    const filled = fill(text, user);
    if (filled === undefined) return false;
    const found = name.indexOf(filled, at);
    if (found < 0) return false;
    at = found + filled.length;
  }
  const last = fill(texts.at(-1) as string, user);
  return last !== undefined && name.length - at >= last.length && name.endsWith(last);
}

function fill(text: string, user: string | undefined): string | undefined {
  if (!text.includes("{user}")) return text;
  // As text, never as part of the pattern: users may be called "*" or "a/b".
  if (user === undefined || !/^[a-z0-9._-]+$/.test(user)) return undefined;
  return text.replaceAll("{user}", () => user);
}
