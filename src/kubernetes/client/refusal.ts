import { StatusError } from "../objects/status.ts";

/** Whether the server answered with this HTTP code. */
export function isRefusal(error: unknown, code: number): error is StatusError {
  return error instanceof StatusError && error.status.code === code;
}

/** Whether what was asked for lies too far back: the list has to be read anew. */
export function isExpired(error: unknown): boolean {
  return (
    error instanceof StatusError &&
    (error.status.code === 410 || error.code === "Expired" || error.code === "Gone")
  );
}
