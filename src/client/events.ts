/** What a client did, as it happens: for progress, `--debug` and explanations. Addresses are sanitised. */
export type ClientEvent =
  | {
      readonly type: "response";
      readonly method: string;
      readonly url: string;
      readonly status: number;
      /** From sending the request to the head of the answer. */
      readonly milliseconds: number;
      /** Whether the request carried an `Authorization` header. */
      readonly authorized: boolean;
    }
  | { readonly type: "redirect"; readonly from: string; readonly to: string }
  /** The same hosts are asked again after `delay` milliseconds. */
  | { readonly type: "retry"; readonly reason: string; readonly attempt: number; readonly delay: number }
  | { readonly type: "next-host"; readonly host: string; readonly reason: string }
  /** The server doesn't speak TLS, and its configuration allows to do without. */
  | { readonly type: "plain-http"; readonly host: string }
  /** What a blob has from `offset` on comes over several connections. */
  | {
      readonly type: "split";
      readonly digest: string;
      readonly offset: number;
      readonly connections: number;
    }
  /** A transfer goes on at `offset` after a break. */
  | { readonly type: "resume"; readonly digest: string; readonly offset: number; readonly reason: string };

export type ClientEventListener = (event: ClientEvent) => void;
