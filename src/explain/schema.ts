/** The published shape of an explanation, as JSON Schema: `docs/explain.schema.json` is written from it. */
import { CAUSE_CODES } from "./causes/codes.ts";

export interface SchemaNode {
  readonly $schema?: string;
  readonly $id?: string;
  readonly title?: string;
  readonly description?: string;
  readonly $ref?: string;
  readonly $defs?: Readonly<Record<string, SchemaNode>>;
  readonly type?: string | readonly string[];
  readonly const?: unknown;
  readonly enum?: readonly unknown[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
  readonly required?: readonly string[];
  readonly additionalProperties?: boolean;
  readonly items?: SchemaNode;
}

type Members = Readonly<Record<string, SchemaNode>>;

const text: SchemaNode = { type: "string" };
const count: SchemaNode = { type: "integer" };
const number: SchemaNode = { type: "number" };
const flag: SchemaNode = { type: "boolean" };

function ref(name: string): SchemaNode {
  return { $ref: `#/$defs/${name}` };
}

function list(items: SchemaNode): SchemaNode {
  return { type: "array", items };
}

function choice(...values: readonly string[]): SchemaNode {
  return { enum: values };
}

/** Members of the second table may be absent. */
function object(always: Members, sometimes: Members = {}): SchemaNode {
  return {
    type: "object",
    properties: { ...always, ...sometimes },
    required: Object.keys(always),
    additionalProperties: false,
  };
}

const DEFINITIONS: Members = {
  pod: object(
    {
      subject: object(
        { kind: text, namespace: text, name: text, stored: flag },
        { file: text, line: count, owner: object({ kind: text, name: text }) },
      ),
      node: object({ platform: text, troubles: list(object({ type: text, message: text })) }, { name: text }),
      admission: object({
        state: choice("admitted", "refused", "invalid", "skipped"),
        steps: list(object({ plugin: text, field: text, message: text })),
        warnings: list(text),
        errors: list(object({ field: text, message: text })),
      }),
      account: object(
        { name: text, state: choice("found", "missing", "unseen", "assumed"), pullSecrets: list(text) },
        { why: text },
      ),
      pullSecrets: object({ from: choice("pod", "service-account", "none"), names: list(text) }),
      images: list(ref("image")),
      causes: list(ref("finding")),
    },
    { conditions: list(object({ type: text, status: text }, { reason: text, message: text })) },
  ),
  image: object(
    {
      slot: object({ kind: choice("container", "init", "ephemeral", "volume"), name: text, field: text }),
      name: object(
        { written: text, tagDefaulted: flag },
        {
          template: text,
          normalised: text,
          registry: text,
          repository: text,
          tag: text,
          digest: text,
          problem: text,
        },
      ),
      policy: object({
        value: text,
        from: choice("written", "defaulted", "admission", "stored"),
        rule: text,
      }),
      presence: object(
        { state: choice("present", "absent", "unknown", "not-asked") },
        { id: text, digest: text, source: text },
      ),
      credentials: object(
        {
          state: choice("looked-up", "not-needed", "failed"),
          sources: list(ref("source")),
          order: list(object({ label: text, username: text }, { expires: text, fault: text, blank: flag })),
        },
        { problem: text },
      ),
      hosts: list(
        object({
          url: text,
          capabilities: list(text),
          role: choice("mirror", "registry"),
          notes: list(text),
        }),
      ),
      attempts: list(ref("attempt")),
      outcome: object(
        { state: choice("present", "pullable", "failed", "unasked", "unknown") },
        { reason: text, message: text },
      ),
      causes: list(ref("finding")),
    },
    {
      access: object({ mustPull: flag, because: text }, { verification: text }),
      planned: list(object({ as: text, method: text, url: text })),
      content: ref("content"),
      decision: object({ action: choice("pull", "use", "refuse"), because: text }),
      observed: ref("observed"),
    },
  ),
  source: object(
    {
      kind: choice("secret", "file", "provider", "other"),
      label: text,
      state: choice(
        "matched",
        "not-matched",
        "empty",
        "missing",
        "unseen",
        "wrong-type",
        "key-missing",
        "broken",
        "failed",
        "not-asked",
      ),
      entries: list(object({ key: text, matched: flag, why: text }, { mismatch: text })),
    },
    {
      name: text,
      detail: text,
      type: text,
      run: object(
        { argv: list(text), exit: { type: ["integer", "null"] }, milliseconds: number },
        { cache: text, token: text },
      ),
    },
  ),
  attempt: object(
    { as: text, result: choice("ok", "failed"), repeated: flag, exchanges: list(ref("exchange")) },
    {
      error: object(
        { code: text, message: text, said: list(object({ code: text, message: text })) },
        { status: count, retryAfter: number },
      ),
    },
  ),
  exchange: object(
    {
      method: text,
      url: text,
      purpose: choice("manifest", "config", "layer", "token", "other"),
      milliseconds: number,
      authorization: choice("none", "basic", "bearer", "other"),
    },
    {
      status: count,
      problem: text,
      challenge: object({ scheme: text }, { realm: text, service: text, scope: text, error: text }),
      scopesAsked: list(text),
      scopesGranted: list(text),
      redirect: text,
      rateLimit: text,
      mediaType: text,
      digest: text,
    },
  ),
  content: object(
    {
      digest: text,
      mediaType: text,
      platformsOffered: list(text),
      layers: list(
        object({
          digest: text,
          size: count,
          state: choice("to-fetch", "present", "not-at-registry", "untold"),
        }),
      ),
      size: count,
      missing: count,
      estimate: object({ milliseconds: number, rate: number }),
    },
    { manifest: text, artifact: text, platform: text },
  ),
  observed: object(
    {
      state: choice("waiting", "running", "terminated", "none"),
      events: list(object({ type: text, reason: text, message: text, count }, { last: text })),
      verdict: text,
    },
    {
      reason: text,
      message: text,
      agrees: flag,
      backOff: object({ failures: count, delaySeconds: number }, { nextAttempt: text }),
    },
  ),
  finding: object({
    code: { enum: CAUSE_CODES },
    severity: choice("failure", "risk", "note"),
    summary: text,
    advice: list(object({ text }, { command: text, yaml: text })),
    page: text,
  }),
};

export const explanationSchema: SchemaNode = {
  $schema: "https://json-schema.org/draft/2020-12/schema",
  title: "What dray explain --json prints",
  ...object({
    version: { const: 1 },
    at: text,
    network: flag,
    pods: list(ref("pod")),
    unseen: list(text),
    problems: list(text),
    exchanges: count,
  }),
  $defs: DEFINITIONS,
};
