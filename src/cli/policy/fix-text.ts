/** Writes what admission would change into the text of manifests; every other byte stays. */
import { findImagePlaces, type ImagePlace } from "../../kubernetes/index.ts";
import type { Judgement } from "./judge.ts";

interface Edit {
  readonly start: number;
  readonly end: number;
  readonly text: string;
}

/** Pins, and pull policies that a plugin sets; what defaults say needs no writing. */
export function fixText(text: string, judgements: readonly Judgement[]): string {
  const edits = findImagePlaces(text).places.flatMap((place) => {
    const found = judgements
      .filter(({ kind, namespace, name }) => {
        return kind === place.kind && name === place.name && namespace === (place.namespace ?? "default");
      })
      .flatMap(({ images }) => images)
      .find(({ slot }) => place.path.endsWith(`.${slot.field}`));
    if (found === undefined) return [];
    const { becomes, policy } = found;
    const image =
      becomes === undefined
        ? []
        : [{ start: place.start, end: place.end, text: quoteAs(text, place, becomes.after) }];
    return [
      ...image,
      ...(policy === undefined || policy.by === "default" ? [] : [policyEdit(text, place, policy.after)]),
    ];
  });
  return apply(text, edits);
}

function policyEdit(text: string, place: ImagePlace, value: string): Edit {
  const { at, flow, column, member, quoted } = place.policy;
  if (at !== undefined) return { ...at, text: quoteAs(text, at, value) };
  const pair = quoted ? `"${member}": "${value}"` : `${member}: ${value}`;
  if (flow) return { start: place.end, end: place.end, text: `, ${pair}` };
  // A comment may follow the image on its line.
  const newline = text.indexOf("\n", place.end);
  const end = newline < 0 ? text.length : text[newline - 1] === "\r" ? newline - 1 : newline;
  const lineEnd = text.includes("\r\n") ? "\r\n" : "\n";
  return { start: end, end, text: `${lineEnd}${" ".repeat(column - 1)}${pair}` };
}

function apply(text: string, edits: readonly Edit[]): string {
  let changed = "";
  let at = 0;
  for (const { start, end, text: put } of edits.toSorted((a, b) => a.start - b.start)) {
    changed += text.slice(at, start) + put;
    at = end;
  }
  return changed + text.slice(at);
}

function quoteAs(text: string, { start }: Pick<Edit, "start">, value: string): string {
  const first = text.charAt(start);
  const quote = first === '"' || first === "'" ? first : "";
  return `${quote}${value}${quote}`;
}
