/** Several failures as one text, Kubernetes' way: each text once, in brackets unless there is only one. */
export function aggregateMessage(errors: readonly unknown[]): string {
  const texts = [...new Set(errors.map(messageOf))];
  return texts.length === 1 ? (texts[0] ?? "") : `[${texts.join(", ")}]`;
}

/** What an error says; anything else that was thrown, as a text. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
