import { type KubernetesObject, StatusError } from "../../kubernetes/index.ts";
import { EncodedObject, encodeObject } from "../storage/encode-object.ts";
import type { StoredObject } from "../storage/storage.ts";
import type { ApiCall, ApiContext } from "./context.ts";
import type { DeleteOptions } from "./delete-options.ts";
import { deleteObject } from "./delete.ts";
import { type Listed, listObjects } from "./list.ts";
import type { ListOptions } from "./options.ts";

/** So many are deleted at a time; their writes share commits. */
const AT_ONCE = 50;

export interface CollectionDeletion {
  readonly wanted: DeleteOptions;
  readonly listOptions: ListOptions;
}

/** DELETE of all that a list would show. */
export async function deleteCollection(
  context: ApiContext,
  call: ApiCall,
  { wanted, listOptions }: CollectionDeletion,
): Promise<Listed> {
  const listed = await listObjects(context, call, listOptions);
  const items: StoredObject[] = [];
  for (let at = 0; at < listed.items.length; at += AT_ONCE) {
    call.signal.throwIfAborted();
    const batch = listed.items.slice(at, at + AT_ONCE);
    const deleted = await Promise.all(batch.map((one) => deleteOne(context, call, { stored: one, wanted })));
    items.push(...deleted.filter((one) => one !== undefined));
  }
  return { items, metadata: listed.metadata };
}

async function deleteOne(
  context: ApiContext,
  call: ApiCall,
  { stored, wanted }: { readonly stored: StoredObject; readonly wanted: DeleteOptions },
): Promise<StoredObject | undefined> {
  const { namespace, name } = stored.key;
  try {
    const { object } = await deleteObject(context, { ...call, namespace, name }, wanted);
    return toStored(stored, object);
  } catch (error) {
    // Somebody else was faster.
    if (error instanceof StatusError && error.code === "NotFound") return undefined;
    throw error;
  }
}

function toStored({ key, revision }: StoredObject, object: KubernetesObject): StoredObject {
  return new EncodedObject(key, revision, encodeObject(object), object);
}
