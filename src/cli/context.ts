/** Everything a command may touch of the process it runs in, so that tests run commands without one. */

export interface Output {
  /** Whether a person looks at it: live redrawing and colour are for terminals only. */
  readonly isTTY: boolean;
  /** Cells in a line, now; terminals change size. */
  readonly columns: number;
  /** Lines on the screen, now. */
  readonly rows: number;
  /** Resolves, where it returns a promise, once the reader has taken enough for more to be welcome. */
  write(chunk: string | Uint8Array): void | Promise<void>;
  /** Calls back when the terminal changed size, until the returned function is called. */
  onResize?(listener: () => void): () => void;
}

export interface Input extends AsyncIterable<Uint8Array> {
  readonly isTTY: boolean;
  /** On terminals: whether keys come one by one and unseen. */
  setRawMode?(on: boolean): void;
}

export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface CommandContext {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly cwd: string;
  readonly home: string;
  /** The effective user's id; 0 is root. */
  readonly uid: number;
  /** Aborted by Ctrl-C and by SIGTERM. */
  readonly signal: AbortSignal;
  /**
   * Calls back instead of ending at SIGHUP, which asks services to read their configuration again, until the returned
   * function is called. Absent where there are no signals.
   */
  readonly onHangup?: (listener: () => void) => () => void;
  readonly clock: Clock;
}
