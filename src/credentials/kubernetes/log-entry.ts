import { goQuote } from "../../internal/go/quote.ts";

/** Something worth a line in a log. It holds no secret but what a plugin itself wrote to its stderr. */
export interface LogEntry {
  readonly message: string;
  readonly error?: string | undefined;
  readonly values: Readonly<Record<string, string>>;
}

/** The entry as the kubelet writes it, from the message on. */
export function formatLogEntry({ message, error, values }: LogEntry): string {
  const pairs = Object.entries(error === undefined ? values : { err: error, ...values });
  return [goQuote(message), ...pairs.map(([name, value]) => `${name}=${goQuote(value)}`)].join(" ");
}
