/** Takes from an answer what differs from run to run. */
import { isRecord, type Json, type JsonObject } from "./json.ts";

/** Members whose values are times, identities or addresses. */
const VOLATILE: ReadonlySet<string> = new Set([
  "uid",
  "resourceVersion",
  "managedFields",
  "selfLink",
  "continue",
  "remainingItemCount",
  "containerID",
  "podIP",
  "podIPs",
  "hostIP",
  "hostIPs",
]);

const TIME = /(?:Time|Timestamp|At)$/;
const TOKEN_VOLUME = /\bkube-api-access-[a-z0-9]{5}\b/g;

/** The same for both sides of a comparison. */
export function normalise(value: Json | undefined): Json | undefined {
  if (typeof value === "string") return value.replaceAll(TOKEN_VOLUME, "kube-api-access-xxxxx");
  if (Array.isArray(value)) return value.map((one: Json) => normalise(one) ?? null);
  if (!isRecord(value)) return value;
  const kept: Record<string, Json | undefined> = {};
  for (const [name, one] of Object.entries(value as JsonObject)) {
    if (VOLATILE.has(name) || (TIME.test(name) && (one === null || typeof one === "string"))) continue;
    kept[name] = normalise(one);
  }
  return kept["kind"] === "Table" ? normaliseTable(kept) : kept;
}

/** Columns keep what clients read of them; of the cells, ages and addresses go. */
function normaliseTable(table: JsonObject): JsonObject {
  const { columnDefinitions, rows } = table;
  return {
    ...table,
    columnDefinitions: mapRecords(columnDefinitions, ({ description: _description, ...column }) => column),
    rows: mapRecords(rows, (row) => ({
      ...row,
      cells: Array.isArray(row["cells"]) ? row["cells"].map((cell: Json) => normaliseCell(cell)) : [],
    })),
  };
}

const AGE = /\b(?:\d+[smhdy]){1,2}\b/g;
const ADDRESS = /^\d+\.\d+\.\d+\.\d+$/;

function normaliseCell(cell: Json): Json {
  if (typeof cell !== "string") return cell;
  return ADDRESS.test(cell) || cell === "<none>" ? "<none>" : cell.replaceAll(AGE, "AGE");
}

function mapRecords(value: Json | undefined, change: (one: JsonObject) => JsonObject): Json {
  return Array.isArray(value) ? value.map((one: Json) => change(one as JsonObject)) : (value ?? null);
}
