import { readFile } from "node:fs/promises";

/** The version in the package's own package.json, which lies two folders above both sources and built files. */
export async function readVersion(): Promise<string> {
  const document: unknown = JSON.parse(
    await readFile(new URL("../../package.json", import.meta.url), "utf8"),
  );
  return String((document as { readonly version: unknown }).version);
}
