/**
 * What receivers of a Docker registry's notifications know how to read:
 *
 * ```json
 * {"events":[{"id":"…","timestamp":"2026-11-23T09:04:25.815Z","action":"push",
 *   "target":{"mediaType":"…","size":392,"digest":"sha256:…","length":392,"repository":"team/app","url":"https://…","tag":"1.0"},
 *   "request":{"id":"…","addr":"10.0.0.7","host":"registry.example.com","method":"PUT","useragent":"crane/0.20"},
 *   "actor":{"name":"alice"},"source":{"addr":"host:5000","instanceID":"…"}}]}
 * ```
 */
import { routes, type Digest } from "../../../oci/index.ts";
import { actionOf, isDone, type Action } from "../action.ts";
import type { Exchange } from "../exchange.ts";

export const ENVELOPE_TYPE = "application/vnd.docker.distribution.events.v1+json";

export interface NotificationEvent {
  readonly id: string;
  readonly timestamp: string;
  readonly action: Action["action"];
  readonly target: {
    readonly mediaType?: string | undefined;
    readonly size?: number | undefined;
    readonly digest?: string | undefined;
    readonly length?: number | undefined;
    readonly repository: string;
    readonly fromRepository?: string | undefined;
    readonly url?: string | undefined;
    readonly tag?: string | undefined;
  };
  readonly request: {
    readonly id: string;
    readonly addr?: string | undefined;
    readonly host?: string | undefined;
    readonly method: string;
    readonly useragent?: string | undefined;
  };
  readonly actor: { readonly name?: string | undefined };
  readonly source: { readonly addr: string; readonly instanceID: string };
}

export interface EventOptions {
  /** Who tells: `host:port`, and a name that is another one in every process. */
  readonly source: NotificationEvent["source"];
  /** Where a request came from, behind proxies. */
  readonly addressOf: (exchange: Exchange) => string | undefined;
  /** How clients call the registry: `https://registry.example.com`. */
  readonly originOf: (exchange: Exchange) => string;
  readonly newId: () => string;
}

/** The events of an exchange: one for each tag of a push, none for what failed or changed nothing. */
export function eventsOf(exchange: Exchange, options: EventOptions): readonly NotificationEvent[] {
  if (!isDone(exchange)) return [];
  const action = actionOf(exchange);
  if (action === undefined) return [];
  // A part that isn't the last is a pull that goes on.
  if (action.action === "pull" && exchange.status === 206 && !endsContent(exchange)) return [];
  const { request } = exchange;
  const shared = {
    timestamp: new Date(exchange.time).toISOString(),
    action: action.action,
    request: {
      id: options.newId(),
      addr: options.addressOf(exchange),
      host: request.header("host"),
      method: request.method,
      useragent: request.header("user-agent")?.slice(0, 300),
    },
    actor: { name: exchange.caller },
    source: options.source,
  };
  const tags = action.tags.length === 0 ? [undefined] : action.tags;
  return tags.map((tag) => ({
    id: options.newId(),
    ...shared,
    target: targetOf(action, tag, options.originOf(exchange)),
  }));
}

export function formatEnvelope(events: readonly string[]): string {
  return `{"events":[${events.join(",")}]}`;
}

function targetOf(action: Action, tag: string | undefined, origin: string): NotificationEvent["target"] {
  const { kind, repository, digest, mediaType, size, from } = action;
  // Of what is gone there is nothing to fetch; and of a tag alone, docker-registry names no digest.
  if (action.action === "delete") return kind === "tag" ? { repository, tag } : { digest, repository };
  const at = (one: Digest): string =>
    kind === "blob" ? routes.blob(repository, one) : routes.manifest(repository, one);
  return {
    mediaType,
    size,
    digest,
    length: size,
    repository,
    fromRepository: from,
    url: digest === undefined ? undefined : `${origin}${at(digest as Digest)}`,
    tag,
  };
}

function endsContent(exchange: Exchange): boolean {
  const [, last, size] = /-(\d+)\/(\d+)$/.exec(exchange.answered("content-range") ?? "") ?? [];
  return last !== undefined && Number(last) + 1 === Number(size);
}
