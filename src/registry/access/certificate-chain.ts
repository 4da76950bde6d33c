import { X509Certificate, type KeyObject } from "node:crypto";

const MAX_LENGTH = 8;

/**
 * The key of the first certificate of a token's `x5c` chain, if each is signed by the next and the last by one of
 * the roots, and all are valid now; `undefined` otherwise.
 */
export function verifyChain(
  chain: readonly string[],
  roots: readonly X509Certificate[],
  now: number,
): KeyObject | undefined {
  if (chain.length === 0 || chain.length > MAX_LENGTH) return undefined;
  let certificates: readonly X509Certificate[];
  try {
    certificates = chain.map((text) => new X509Certificate(Buffer.from(text, "base64")));
  } catch {
    return undefined;
  }
  for (const [index, certificate] of certificates.entries()) {
    if (!isValidAt(certificate, now) || (index > 0 && !certificate.ca)) return undefined;
    if (isTrusted(certificate, roots, now)) return certificates[0]?.publicKey;
    const issuer = certificates[index + 1];
    if (issuer === undefined || !isSignedBy(certificate, issuer)) return undefined;
  }
  return undefined;
}

function isTrusted(certificate: X509Certificate, roots: readonly X509Certificate[], now: number): boolean {
  return roots.some(
    (root) =>
      isValidAt(root, now) &&
      (root.fingerprint256 === certificate.fingerprint256 || (root.ca && isSignedBy(certificate, root))),
  );
}

function isSignedBy(certificate: X509Certificate, issuer: X509Certificate): boolean {
  return certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey);
}

function isValidAt(certificate: X509Certificate, now: number): boolean {
  return certificate.validFromDate.getTime() <= now && now <= certificate.validToDate.getTime();
}
