/** A type that a client would take. */
export interface MediaType {
  /** In lower case. */
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/** The types of an Accept header, the ones liked best first; without a header, any. */
export function acceptedTypes(header: string | undefined): readonly MediaType[] {
  if (header === undefined || header.trim() === "") return [ANY];
  return header
    .split(",")
    .map((part) => parse(part))
    .filter(({ parameters }) => quality(parameters) > 0)
    .toSorted((a, b) => quality(b.parameters) - quality(a.parameters));
}

const ANY: MediaType = { type: "*/*", parameters: new Map() };

function parse(text: string): MediaType {
  const [type = "", ...rest] = text.split(";").map((part) => part.trim());
  const parameters = rest.map((part): [string, string] => {
    const equals = part.indexOf("=");
    return equals === -1
      ? [part.toLowerCase(), ""]
      : [part.slice(0, equals).toLowerCase(), part.slice(equals + 1)];
  });
  return { type: type.toLowerCase(), parameters: new Map(parameters) };
}

function quality(parameters: ReadonlyMap<string, string>): number {
  const value = Number(parameters.get("q") ?? 1);
  return Number.isNaN(value) ? 1 : value;
}
