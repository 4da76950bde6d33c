/**
 * An explanation as a value: plain JSON, published as `docs/explain.schema.json`. Secrets never get this far.
 *
 * ```text
 * Explanation ─► PodTrace (per Pod and node) ─► ImageTrace (per container) ─► AttemptTrace ─► ExchangeTrace
 *                   └► Finding                      └► Finding
 * ```
 */
import type { CauseCode } from "./causes/codes.ts";

export interface Explanation {
  readonly version: 1;
  /** RFC 3339. */
  readonly at: string;
  /** Whether registries were asked. */
  readonly network: boolean;
  readonly pods: readonly PodTrace[];
  /** What nobody let us see, and what was therefore assumed. */
  readonly unseen: readonly string[];
  /** Files that can't be read in full, and configuration that was left out. */
  readonly problems: readonly string[];
  /** Requests sent in all. */
  readonly exchanges: number;
}

export interface PodTrace {
  readonly subject: Subject;
  readonly node: NodeTrace;
  readonly admission: AdmissionTrace;
  readonly account: AccountTrace;
  readonly pullSecrets: {
    readonly from: "pod" | "service-account" | "none";
    readonly names: readonly string[];
  };
  /** Of a stored Pod's status; the bad ones say what it waits for. */
  readonly conditions?: readonly ConditionTrace[] | undefined;
  readonly images: readonly ImageTrace[];
  /** What is about the Pod as a whole. */
  readonly causes: readonly Finding[];
}

export interface ConditionTrace {
  readonly type: string;
  readonly status: string;
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}

export interface Subject {
  readonly kind: string;
  readonly namespace: string;
  readonly name: string;
  readonly file?: string | undefined;
  readonly line?: number | undefined;
  /** Whether the object is one that an API server keeps. */
  readonly stored: boolean;
  /** What a stored Pod was made by: `Deployment/web`. */
  readonly owner?: { readonly kind: string; readonly name: string } | undefined;
}

export interface NodeTrace {
  readonly name?: string | undefined;
  readonly platform: string;
  /** Of the Node's conditions, those that are bad for pulling. */
  readonly troubles: readonly { readonly type: string; readonly message: string }[];
}

export interface AdmissionTrace {
  /** `skipped`: the object is stored as it is. */
  readonly state: "admitted" | "refused" | "invalid" | "skipped";
  readonly steps: readonly { readonly plugin: string; readonly field: string; readonly message: string }[];
  readonly warnings: readonly string[];
  /** What the API server would answer. */
  readonly errors: readonly { readonly field: string; readonly message: string }[];
}

export interface AccountTrace {
  readonly name: string;
  /** `assumed`: every namespace has `default`, written down or not. */
  readonly state: "found" | "missing" | "unseen" | "assumed";
  readonly why?: string | undefined;
  /** Those the account lists, also where the Pod's own list makes them count for nothing. */
  readonly pullSecrets: readonly string[];
}

export interface ImageTrace {
  readonly slot: SlotTrace;
  readonly name: NameTrace;
  readonly policy: PolicyTrace;
  readonly presence: PresenceTrace;
  readonly access?: AccessTrace | undefined;
  readonly credentials: CredentialsTrace;
  readonly hosts: readonly HostTrace[];
  readonly attempts: readonly AttemptTrace[];
  /** What would be asked first, where nobody may be asked. */
  readonly planned?: readonly PlannedRequest[] | undefined;
  readonly content?: ContentTrace | undefined;
  readonly decision?: { readonly action: "pull" | "use" | "refuse"; readonly because: string } | undefined;
  readonly outcome: OutcomeTrace;
  readonly observed?: ObservedTrace | undefined;
  readonly causes: readonly Finding[];
}

export interface SlotTrace {
  readonly kind: "container" | "init" | "ephemeral" | "volume";
  readonly name: string;
  /** In the Pod: `spec.containers[0].image`. */
  readonly field: string;
}

export interface NameTrace {
  readonly written: string;
  /** What the Pod asks for where admission changed it, or its owner's template has something else. */
  readonly template?: string | undefined;
  readonly normalised?: string | undefined;
  readonly registry?: string | undefined;
  readonly repository?: string | undefined;
  readonly tag?: string | undefined;
  readonly digest?: string | undefined;
  /** `latest` was added. */
  readonly tagDefaulted: boolean;
  readonly problem?: string | undefined;
}

export interface PolicyTrace {
  readonly value: string;
  readonly from: "written" | "defaulted" | "admission" | "stored";
  readonly rule: string;
}

export interface PresenceTrace {
  /** `not-asked`: the policy doesn't care; `unknown`: nobody said what the node has. */
  readonly state: "present" | "absent" | "unknown" | "not-asked";
  readonly id?: string | undefined;
  readonly digest?: string | undefined;
  readonly source?: string | undefined;
}

export interface AccessTrace {
  readonly mustPull: boolean;
  readonly because: string;
  readonly verification?: string | undefined;
}

export interface CredentialsTrace {
  /** `not-needed`: the image is used as it is, or not pulled at all. */
  readonly state: "looked-up" | "not-needed" | "failed";
  readonly problem?: string | undefined;
  readonly sources: readonly CredentialSourceTrace[];
  /** What is tried, in this order; none is one anonymous attempt. */
  readonly order: readonly TriedCredential[];
}

export interface TriedCredential {
  readonly label: string;
  readonly username: string;
  /** When it says itself that it is over; RFC 3339. */
  readonly expires?: string | undefined;
  /** What is odd about it: white space where a password shouldn't have any. */
  readonly fault?: string | undefined;
  /** It is nobody's. */
  readonly blank?: boolean | undefined;
}

export interface PlannedRequest {
  readonly as: string;
  readonly method: string;
  readonly url: string;
}

export interface CredentialSourceTrace {
  readonly kind: "secret" | "file" | "provider" | "other";
  readonly label: string;
  /** The Secret's or the provider's. */
  readonly name?: string | undefined;
  readonly state:
    | "matched"
    | "not-matched"
    | "empty"
    | "missing"
    | "unseen"
    | "wrong-type"
    | "key-missing"
    | "broken"
    | "failed"
    | "not-asked";
  readonly detail?: string | undefined;
  /** The Secret's. */
  readonly type?: string | undefined;
  readonly entries: readonly EntryTrace[];
  readonly run?: ProviderRunTrace | undefined;
}

export interface EntryTrace {
  readonly key: string;
  readonly matched: boolean;
  readonly mismatch?: string | undefined;
  /** One sentence: which label, path or port. */
  readonly why: string;
}

export interface ProviderRunTrace {
  readonly argv: readonly string[];
  readonly exit: number | null;
  readonly milliseconds: number;
  /** How long, and by what, its answer is kept. */
  readonly cache?: string | undefined;
  /** Which token was made for it, in words. */
  readonly token?: string | undefined;
}

export interface HostTrace {
  readonly url: string;
  readonly capabilities: readonly string[];
  readonly role: "mirror" | "registry";
  readonly notes: readonly string[];
}

export interface AttemptTrace {
  /** The credential's label; `anonymous`. */
  readonly as: string;
  readonly result: "ok" | "failed";
  /** The same question was answered before, for another container. */
  readonly repeated: boolean;
  readonly error?: ErrorTrace | undefined;
  readonly exchanges: readonly ExchangeTrace[];
}

export interface ErrorTrace {
  readonly code: string;
  readonly message: string;
  readonly status?: number | undefined;
  /** Codes in the registry's own words. */
  readonly said: readonly { readonly code: string; readonly message: string }[];
  /** Milliseconds. */
  readonly retryAfter?: number | undefined;
}

export interface ExchangeTrace {
  readonly method: string;
  /** Sanitised. */
  readonly url: string;
  readonly purpose: "manifest" | "config" | "layer" | "token" | "other";
  /** Absent where no answer came. */
  readonly status?: number | undefined;
  readonly problem?: string | undefined;
  readonly milliseconds: number;
  readonly authorization: "none" | "basic" | "bearer" | "other";
  readonly challenge?: ChallengeTrace | undefined;
  readonly scopesAsked?: readonly string[] | undefined;
  readonly scopesGranted?: readonly string[] | undefined;
  readonly redirect?: string | undefined;
  readonly rateLimit?: string | undefined;
  readonly mediaType?: string | undefined;
  readonly digest?: string | undefined;
}

export interface ChallengeTrace {
  readonly scheme: string;
  readonly realm?: string | undefined;
  readonly service?: string | undefined;
  readonly scope?: string | undefined;
  readonly error?: string | undefined;
}

export interface ContentTrace {
  /** What the name stands for: a manifest or an index. */
  readonly digest: string;
  readonly mediaType: string;
  /** The image taken out of it. */
  readonly manifest?: string | undefined;
  readonly platformsOffered: readonly string[];
  /** The type of its config, where that isn't an image's. */
  readonly artifact?: string | undefined;
  /** What the image's own config says it is for. */
  readonly platform?: string | undefined;
  readonly layers: readonly LayerTrace[];
  /** Bytes in all, and those the node has to fetch. */
  readonly size: number;
  readonly missing: number;
  /** Milliseconds at `rate` bytes a second. */
  readonly estimate: { readonly milliseconds: number; readonly rate: number };
}

export interface LayerTrace {
  readonly digest: string;
  readonly size: number;
  /** `untold`: to be fetched, and the registry doesn't let itself be asked whether it is there. */
  readonly state: "to-fetch" | "present" | "not-at-registry" | "untold";
}

export interface OutcomeTrace {
  /** `present`, `pullable`: the container could start; `unasked`: the network was off. */
  readonly state: "present" | "pullable" | "failed" | "unasked" | "unknown";
  /** As the kubelet calls it. */
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
}

export interface ObservedTrace {
  readonly state: "waiting" | "running" | "terminated" | "none";
  readonly reason?: string | undefined;
  readonly message?: string | undefined;
  readonly events: readonly EventTrace[];
  readonly backOff?:
    | {
        readonly failures: number;
        /** Where there is no next attempt the events end too early, and this is the most. */
        readonly delaySeconds: number;
        readonly nextAttempt?: string | undefined;
      }
    | undefined;
  readonly agrees: boolean | undefined;
  readonly verdict: string;
}

export interface EventTrace {
  readonly type: string;
  readonly reason: string;
  readonly message: string;
  readonly count: number;
  readonly last?: string | undefined;
}

/** A cause that applies here, in the user's own names. */
export interface Finding {
  readonly code: CauseCode;
  /** `failure`: the image doesn't come; `risk`: it may not, or not as meant; `note`: worth knowing. */
  readonly severity: "failure" | "risk" | "note";
  readonly summary: string;
  readonly advice: readonly Advice[];
  /** The page that says more. */
  readonly page: string;
}

export interface Advice {
  readonly text: string;
  /** To be pasted into a shell. */
  readonly command?: string | undefined;
  /** To be pasted into a manifest. */
  readonly yaml?: string | undefined;
}
