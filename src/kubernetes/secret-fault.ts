import type { SecretObject } from "./secret.ts";
import { validateCreate } from "./validation/validate.ts";

/**
 * Why the API wouldn't keep a Secret, in its words; nothing of its content is quoted. What only the kubelet stumbles
 * over, below a document's top, is no fault.
 */
export function findSecretFault({ metadata, type, data }: SecretObject): string | undefined {
  const { name, namespace, annotations } = metadata;
  const encoded = Object.entries(data).map(([key, bytes]) => [key, Buffer.from(bytes).toString("base64")]);
  const [fault] = validateCreate({
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name, namespace, annotations },
    type,
    data: Object.fromEntries(encoded) as Record<string, string>,
  });
  return fault?.message;
}
