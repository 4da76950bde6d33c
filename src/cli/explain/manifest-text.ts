/** The bytes of a manifest as text. */
import { CliError } from "../errors.ts";

/** As YAML reads them: UTF-8, or UTF-16 where a mark says so, as PowerShell's `>` writes it. */
export function decodeManifest(bytes: Uint8Array): string {
  const [first, second] = bytes;
  if (first === 0xff && second === 0xfe) return new TextDecoder("utf-16le").decode(bytes);
  if (first === 0xfe && second === 0xff) return new TextDecoder("utf-16be").decode(bytes);
  return new TextDecoder().decode(bytes);
}

/**
 * For whoever writes it back: what isn't UTF-8 would come back as something else. A mark at the beginning stays.
 *
 * @throws CliError `UNREADABLE`
 */
export function decodeUtf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new CliError("UNREADABLE", "it isn't UTF-8; save it in that encoding", { cause });
  }
}

/** What somebody pastes instead of a manifest; undefined for anything else. */
export function guessPasted(text: string): string | undefined {
  if (/^Name: +\S/m.test(text) && /^(Namespace|Containers|Events|Pod Template): */m.test(text)) {
    return "this is what kubectl describe prints, for people; give what kubectl get -o yaml prints of the same object";
  }
  if (/^(NAMESPACE +)?NAME +(READY|STATUS|DATA|TYPE|SECRETS|DESIRED|COMPLETIONS) /.test(text)) {
    return "this is a table of kubectl get; give what it prints with -o yaml";
  }
  return undefined;
}
