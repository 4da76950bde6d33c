/** What failed first: a full disk, say, may keep what was open from being closed well, too. */
export function firstFailure(thrown: unknown): unknown {
  let error = thrown;
  while (error instanceof SuppressedError) error = error.suppressed;
  return error;
}
