/** One step on the way to an image, and what led to its outcome. */
export interface Decision<Outcome> {
  readonly outcome: Outcome;
  /** In the order in which they were found. */
  readonly reasons: readonly DecisionReason[];
}

export interface DecisionReason {
  /** The rule, in one word or two: `policy`, `tag`, `glob`. */
  readonly rule: string;
  /** One sentence without a full stop. */
  readonly message: string;
}
