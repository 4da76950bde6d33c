/** The node's end of the Kubernetes API: the Pods it gets from there, and what it says there. */
import {
  ApiSink,
  ApiSource,
  ApiTokenIssuer,
  type FolderSource,
  MirrorPods,
  mirrorSource,
  type NodeFacts,
  NodeRegistration,
  type NodeSink,
  type PodSource,
  PodSources,
  type PullSecretLookup,
  SecretLookups,
} from "../../node/index.ts";
import type { NodeStatusImage } from "../../images/index.ts";
import type {
  IssuedToken,
  ServiceAccount,
  ServiceAccountTokenRequest,
  TokenIssuer,
} from "../../credentials/index.ts";
import type { RunningApi } from "./start-api.ts";

export interface NodeOnApi {
  readonly pods: PodSource;
  readonly secrets: PullSecretLookup;
  readonly sink: NodeSink;
  /** Shows the Node in the API, and keeps it up to date. */
  start(): Promise<void>;
}

export interface NodeOnApiOptions {
  readonly api: RunningApi;
  readonly name: string;
  readonly facts: NodeFacts;
  readonly files: FolderSource;
  readonly images: () => readonly NodeStatusImage[];
  readonly stack: AsyncDisposableStack;
  readonly onError: (error: unknown) => void;
}

export function putNodeOnApi(options: NodeOnApiOptions): NodeOnApi {
  const { api, name, facts, files, images, stack, onError } = options;
  const client = api.client("kubelet");
  const registration = new NodeRegistration({ client, name, facts, images, onError });
  const mirrors = new MirrorPods({
    client,
    node: name,
    nodeUid: () => registration.uid,
    onShown: (uid) => sink.shown(uid),
    onRemoved: (uid) => sink.forget(uid),
    onError,
  });
  const sink = new ApiSink({ client, node: name, shownAs: mirrors.shownAs, onError });
  const pods = new ApiSource({
    client,
    node: name,
    watchCredentials: true,
    onMirror: (pod, isGone) => mirrors.seen(pod, isGone),
    onError,
  });
  stack.defer(() => registration.close());
  stack.defer(() => mirrors.close());
  stack.defer(() => sink.close());
  return {
    pods: new PodSources([mirrorSource(files, mirrors), pods]),
    secrets: new SecretLookups([files, pods]),
    sink,
    start: () => registration.start(),
  };
}

/** Tokens for the accounts that stand in the folder, and for all others of the API. */
export class JoinedTokens implements TokenIssuer {
  readonly #files: FolderSource;
  readonly #ofFiles: TokenIssuer;
  readonly #ofApi: TokenIssuer;

  constructor(files: FolderSource, ofFiles: TokenIssuer, api: RunningApi) {
    this.#files = files;
    this.#ofFiles = ofFiles;
    this.#ofApi = new ApiTokenIssuer(api.client("kubelet"));
  }

  async get(namespace: string, name: string): Promise<ServiceAccount> {
    return await this.#of(namespace, name).get(namespace, name);
  }

  async issue(request: ServiceAccountTokenRequest): Promise<IssuedToken> {
    return await this.#of(request.namespace, request.serviceAccountName).issue(request);
  }

  #of(namespace: string, name: string): TokenIssuer {
    return this.#files.hasAccount(namespace, name) ? this.#ofFiles : this.#ofApi;
  }
}
