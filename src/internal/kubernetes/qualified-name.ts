/** Names of labels and annotations: `team`, `example.com/team`. */

const NAME = "([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]";
const NAME_LIMIT = 63;
const LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const SUBDOMAIN_LIMIT = 253;

const NAME_RULE = `must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character ${examples(NAME, "MyName", "my.name", "123-abc")}`;
const SUBDOMAIN_RULE = `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character ${examples(SUBDOMAIN, "example.com")}`;

/** What is wrong with it, in Kubernetes' words; nothing for a good one. */
export function qualifiedNameFaults(text: string): readonly string[] {
  const parts = text.split("/");
  if (parts.length > 2) {
    return [
      `a qualified name ${NAME_RULE} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    ];
  }
  const name = parts.at(-1) ?? "";
  const faults = parts.length === 2 ? prefixFaults(parts[0] ?? "") : [];
  const length = Buffer.byteLength(name);
  if (length === 0) faults.push("name part must be non-empty");
  else if (length > NAME_LIMIT) faults.push(`name part ${tooLong(NAME_LIMIT)}`);
  if (!whole(NAME, name)) faults.push(`name part ${NAME_RULE}`);
  return faults;
}

function prefixFaults(prefix: string): string[] {
  if (prefix === "") return ["prefix part must be non-empty"];
  const faults: string[] = [];
  if (Buffer.byteLength(prefix) > SUBDOMAIN_LIMIT) faults.push(`prefix part ${tooLong(SUBDOMAIN_LIMIT)}`);
  if (!whole(SUBDOMAIN, prefix)) faults.push(`prefix part ${SUBDOMAIN_RULE}`);
  return faults;
}

function whole(pattern: string, text: string): boolean {
  return new RegExp(`^(?:${pattern})$`).test(text);
}

function tooLong(limit: number): string {
  return `must be no more than ${limit} bytes`;
}

function examples(pattern: string, ...names: readonly string[]): string {
  const list = names.map((name) => `'${name}', `).join(" or ");
  return `(e.g. ${list}regex used for validation is '${pattern}')`;
}
