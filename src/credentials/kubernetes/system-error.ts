/** What Unix says of an error, by its code. */
const TEXTS: Readonly<Record<string, string>> = {
  EACCES: "permission denied",
  EINVAL: "invalid argument",
  EIO: "input/output error",
  EISDIR: "is a directory",
  ELOOP: "too many levels of symbolic links",
  EMFILE: "too many open files",
  ENAMETOOLONG: "file name too long",
  ENOENT: "no such file or directory",
  ENOEXEC: "exec format error",
  ENOMEM: "cannot allocate memory",
  ENOTDIR: "not a directory",
  EPERM: "operation not permitted",
  E2BIG: "argument list too long",
  ETXTBSY: "text file busy",
};

/** A failed call as Go tells it: `open /etc/x: permission denied`. */
export function systemError(cause: unknown, verb: string, path: string): string {
  const { code, message } = cause as NodeJS.ErrnoException;
  const call = code === "EISDIR" && verb === "open" ? "read" : verb;
  return `${call} ${path}: ${code === undefined ? message : (TEXTS[code] ?? code)}`;
}

/** How a signal is told of: `signal: killed`. */
export function signalText(signal: string): string {
  return `signal: ${SIGNALS[signal] ?? signal}`;
}

const SIGNALS: Readonly<Record<string, string>> = {
  SIGABRT: "aborted",
  SIGALRM: "alarm clock",
  SIGBUS: "bus error",
  SIGFPE: "floating point exception",
  SIGHUP: "hangup",
  SIGILL: "illegal instruction",
  SIGINT: "interrupt",
  SIGKILL: "killed",
  SIGPIPE: "broken pipe",
  SIGQUIT: "quit",
  SIGSEGV: "segmentation fault",
  SIGTERM: "terminated",
};
