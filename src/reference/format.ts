import { DEFAULT_DOMAIN, OFFICIAL_PREFIX } from "./parse.ts";
import { type Reference } from "./reference.ts";

/** The whole reference: `name`, `name:tag`, `name@digest` or `name:tag@digest`. Canonical if the reference is. */
export function formatReference(reference: Reference): string {
  return repositoryName(reference) + suffix(reference);
}

/** Domain and path: `docker.io/library/ubuntu`. */
export function repositoryName(reference: Reference): string {
  return reference.domain === "" ? reference.path : `${reference.domain}/${reference.path}`;
}

/** {@link repositoryName} as people write it: without Docker Hub's domain, and without `library/` there. */
export function familiarName(reference: Reference): string {
  const { domain, path } = reference;
  if (domain !== DEFAULT_DOMAIN) return repositoryName(reference);
  const official = path.startsWith(OFFICIAL_PREFIX) && !path.includes("/", OFFICIAL_PREFIX.length);
  return official ? path.slice(OFFICIAL_PREFIX.length) : path;
}

/** The whole reference as people write it. */
export function familiarString(reference: Reference): string {
  return familiarName(reference) + suffix(reference);
}

function suffix({ tag, digest }: Reference): string {
  return (tag === undefined ? "" : `:${tag}`) + (digest === undefined ? "" : `@${digest}`);
}
