/** What is known of a cause before it occurs: one row of the table that `docs/causes/` is written from. */
export interface Cause {
  /** A headline: what is the matter. */
  readonly title: string;
  /** What a command ends with whose image fails for this; see cli/exit-code.ts. */
  readonly exit: 0 | 1 | 3 | 4 | 5 | 6 | 7 | 8;
  /** As Kubernetes prints it; empty for what it doesn't tell. */
  readonly symptoms: readonly string[];
  /** What is going on, in Markdown. */
  readonly story: string;
  /** How to see it for oneself, in Markdown. */
  readonly see: string;
  /** In Markdown. */
  readonly fix: string;
  /** Its folder below `examples/broken/`. */
  readonly example: string;
}
