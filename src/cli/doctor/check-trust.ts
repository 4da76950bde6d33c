/** Certificate authorities: what runtimes and this process trust. */
import { X509Certificate } from "node:crypto";
import { readFile } from "node:fs/promises";
import { resolve } from "node:path";

import { ClientError, loadTlsSettings } from "../../client/index.ts";
import type { CommandContext } from "../context.ts";
import type { FindingCode, Findings } from "./finding.ts";
import { lookAt } from "./look.ts";

const AREA = "authorities";
const SOON = 30 * 86_400_000;
const VARIABLES = ["SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS"] as const;

export async function checkTrust(
  findings: Findings,
  { bundles, named }: { readonly bundles: readonly string[]; readonly named: string | undefined },
  { env, cwd, clock }: CommandContext,
): Promise<void> {
  const now = clock.now();
  const found: string[] = [];
  for (const bundle of bundles) if ((await lookAt(bundle)).state === "there") found.push(bundle);
  const [bundle] = found;
  if (bundle === undefined) {
    const what = "Runtimes written in Go trust nobody then";
    const mend = "Install the package ca-certificates";
    findings.add("CA_BUNDLE_MISSING", { where: bundles.join(", "), what, mend });
  } else {
    // Distributions keep some that have expired; those are nobody's mistake here.
    try {
      await loadTlsSettings({ ca: [bundle] });
      findings.saw(AREA, `${bundle}: the system's`);
    } catch (error) {
      if (!(error instanceof ClientError)) throw error;
      findings.add("CA_UNUSABLE", { where: bundle, what: error.message, mend: "Run update-ca-certificates" });
    }
  }
  const files = [...VARIABLES.map((name) => env[name]), named].filter(
    (file) => file !== undefined && file !== "",
  );
  const others = new Set(files.map((file) => resolve(cwd, file ?? ""))).difference(new Set(bundles));
  for (const path of others) {
    if (await checkAuthorityFile(findings, path, { now, code: "CA_UNUSABLE" })) findings.saw(AREA, path);
  }
}

/** Whether it can be used. */
export async function checkAuthorityFile(
  findings: Findings,
  path: string,
  { now, code }: { readonly now: number; readonly code: FindingCode },
): Promise<boolean> {
  try {
    await loadTlsSettings({ ca: [path] });
  } catch (error) {
    if (!(error instanceof ClientError)) throw error;
    const mend = "Put the authority's PEM certificates there, readable for the runtime";
    findings.add(code, { where: path, what: error.message, mend });
    return false;
  }
  const pem = await readFile(path, "utf8");
  for (const block of pem.match(/-----BEGIN CERTIFICATE-----[^-]*-----END CERTIFICATE-----/g) ?? []) {
    const { subject, validToDate } = new X509Certificate(block);
    const left = validToDate.getTime() - now;
    if (left >= SOON) continue;
    const what = `${subject.split("\n").at(-1) ?? subject}: until ${validToDate.toISOString()}`;
    const mend = "Ask the registry's operator for its new authority";
    findings.add(left < 0 ? "CA_EXPIRED" : "CA_EXPIRES_SOON", { where: path, what, mend });
  }
  return true;
}
