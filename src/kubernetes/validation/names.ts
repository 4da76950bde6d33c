/** What is wrong with a name, in the API server's words; nothing for a good one. */

const LABEL = "[a-z0-9]([-a-z0-9]*[a-z0-9])?";
const SUBDOMAIN = `${LABEL}(\\.${LABEL})*`;
const LABEL_1035 = "[a-z]([-a-z0-9]*[a-z0-9])?";
const LABEL_VALUE = "(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?";
const CONFIG_KEY = "[-._a-zA-Z0-9]+";
const PERCENT = "[0-9]+%";

const LABEL_LIMIT = 63;
export const SUBDOMAIN_LIMIT = 253;
const PORT_NAME_LIMIT = 15;

const ENDS = "and must start and end with an alphanumeric character";

export type NameRule = (text: string) => readonly string[];

/** The name of a container, a namespace, a host. */
export function labelFaults(text: string): readonly string[] {
  return faults(
    text,
    LABEL_LIMIT,
    LABEL,
    `a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', ${ENDS}`,
    "my-name",
    "123-abc",
  );
}

/** The name of most objects. */
export function subdomainFaults(text: string): readonly string[] {
  return faults(
    text,
    SUBDOMAIN_LIMIT,
    SUBDOMAIN,
    `a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', ${ENDS}`,
    "example.com",
  );
}

export function label1035Faults(text: string): readonly string[] {
  return faults(
    text,
    LABEL_LIMIT,
    LABEL_1035,
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
    "my-name",
    "abc-123",
  );
}

export function labelValueFaults(text: string): readonly string[] {
  return faults(
    text,
    LABEL_LIMIT,
    LABEL_VALUE,
    `a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', ${ENDS}`,
    "MyValue",
    "my_value",
    "12345",
  );
}

/** A key of a Secret or ConfigMap, which becomes the name of a file. */
export function configKeyFaults(text: string): readonly string[] {
  const found = faults(
    text,
    SUBDOMAIN_LIMIT,
    CONFIG_KEY,
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
    "key.name",
    "KEY_NAME",
    "key-name",
  );
  if (text === ".") return [...found, "must not be '.'"];
  if (text === "..") return [...found, "must not be '..'"];
  return text.startsWith("..") ? [...found, "must not start with '..'"] : found;
}

export function variableNameFaults(text: string): readonly string[] {
  const plain = /^[ -<>-~]*$/.test(text);
  return plain
    ? []
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

/** The name of a port, by which a probe or a service finds it. */
export function portNameFaults(text: string): readonly string[] {
  const found: string[] = [];
  if (text.length > PORT_NAME_LIMIT) found.push(`must be no more than ${PORT_NAME_LIMIT} bytes`);
  if (!/^[-a-z0-9]+$/.test(text)) {
    found.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  }
  if (!/[a-z]/.test(text)) found.push("must contain at least one letter (a-z)");
  if (text.includes("--")) found.push("must not contain consecutive hyphens");
  if (text.startsWith("-") || text.endsWith("-")) found.push("must not begin or end with a hyphen");
  return found;
}

export function percentFaults(text: string): readonly string[] {
  if (whole(PERCENT).test(text)) return [];
  return [
    `a valid percent string must be a numeric string followed by an ending '%' ${examples(PERCENT, "1%", "93%")}`,
  ];
}

/** What no name of a path's segment may be, whatever the kind. */
export function segmentFaults(text: string): readonly string[] {
  if (text === "." || text === "..") return [`may not be '${text}'`];
  return ["/", "%"].filter((part) => text.includes(part)).map((part) => `may not contain '${part}'`);
}

/** A name that something is put behind: it may end as no whole name may. */
export function prefixFaults(rule: NameRule, prefix: string): readonly string[] {
  return rule(prefix.length > 1 && prefix.endsWith("-") ? `${prefix.slice(0, -2)}a` : prefix);
}

export function portFaults(port: number): readonly string[] {
  return port >= 1 && port <= 65_535 ? [] : ["must be between 1 and 65535, inclusive"];
}

function faults(
  text: string,
  limit: number,
  pattern: string,
  rule: string,
  ...names: readonly string[]
): readonly string[] {
  const found: string[] = [];
  if (Buffer.byteLength(text) > limit) found.push(`must be no more than ${limit} bytes`);
  if (!whole(pattern).test(text)) found.push(`${rule} ${examples(pattern, ...names)}`);
  return found;
}

const compiled = new Map<string, RegExp>();

/** Names are many and patterns few. */
function whole(pattern: string): RegExp {
  let regex = compiled.get(pattern);
  if (regex === undefined) compiled.set(pattern, (regex = new RegExp(`^(?:${pattern})$`)));
  return regex;
}

function examples(pattern: string, ...names: readonly string[]): string {
  const list = names.map((name) => `'${name}', `).join(" or ");
  return `(e.g. ${list}regex used for validation is '${pattern}')`;
}
