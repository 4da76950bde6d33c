/** What shape of answer a client wants, from its `Accept`. */
import { failure } from "../../kubernetes/index.ts";

export interface AnswerShape {
  readonly as: "Object" | "Table" | "PartialObjectMetadata";
  readonly encoding: "json" | "yaml";
}

const PLAIN: AnswerShape = { as: "Object", encoding: "json" };
const META = "meta.k8s.io";
const VERSIONS: readonly (string | undefined)[] = ["v1", "v1beta1", undefined];

interface Clause {
  readonly type: string;
  readonly parameters: ReadonlyMap<string, string>;
}

/**
 * The first of the client's wishes that can be met. Protobuf is never written here, and every client that asks for
 * it takes JSON as well.
 *
 * @param accept the header; `undefined` takes anything
 * @throws StatusError when there's none
 */
export function negotiate(accept: string | undefined): AnswerShape {
  if (accept === undefined || accept.trim() === "" || accept === "*/*" || accept === "application/json") {
    return PLAIN;
  }
  for (const clause of parseAccept(accept)) {
    const shape = shapeOf(clause);
    if (shape !== undefined) return shape;
  }
  const message = "only the following media types are accepted: application/json, application/yaml";
  throw failure("NotAcceptable", message);
}

function shapeOf({ type, parameters }: Clause): AnswerShape | undefined {
  const encoding =
    type === "*/*" || type === "application/*" || type === "application/json"
      ? "json"
      : type === "application/yaml"
        ? "yaml"
        : undefined;
  if (encoding === undefined) return undefined;
  const as = parameters.get("as");
  if (as === undefined || as === "") return { as: "Object", encoding };
  if (parameters.get("g") !== META || !VERSIONS.includes(parameters.get("v"))) return undefined;
  if (as === "Table") return { as: "Table", encoding };
  if (as === "PartialObjectMetadata" || as === "PartialObjectMetadataList") {
    return { as: "PartialObjectMetadata", encoding };
  }
  return undefined;
}

/** In the order of preference: weights first, then as written. */
function parseAccept(accept: string): readonly Clause[] {
  return accept
    .split(",")
    .map((text) => {
      const [type = "", ...rest] = text.split(";").map((part) => part.trim());
      const parameters = new Map(
        rest.map((part): [string, string] => {
          const [name = "", value = ""] = part.split("=");
          return [name.trim().toLowerCase(), value.trim().replace(/^"(.*)"$/, "$1")];
        }),
      );
      return { type: type.toLowerCase(), parameters, weight: Number(parameters.get("q") ?? 1) };
    })
    .filter(({ weight }) => weight > 0)
    .toSorted((one, other) => other.weight - one.weight);
}
