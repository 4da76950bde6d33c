/** The key whose credentials also serve images of the Hub that no key matches. */
export const DEFAULT_REGISTRY_KEY = "index.docker.io";

/** Whether an image is the Hub's: it names it, or nothing that could be a host. `localhost` could not. */
export function isDefaultRegistry(image: string): boolean {
  const slash = image.indexOf("/");
  const first = slash === -1 ? image : image.slice(0, slash);
  if (first === "") return false;
  if (slash === -1 || first === "docker.io" || first === DEFAULT_REGISTRY_KEY) return true;
  return !/[.:]/.test(first);
}
