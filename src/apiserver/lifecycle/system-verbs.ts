/** What the server does to objects by itself, in its own name. */
import { type KubernetesObject, StatusError } from "../../kubernetes/index.ts";
import { APISERVER } from "../auth/user.ts";
import type { ObjectKey, StoredObject } from "../storage/storage.ts";
import type { ApiCall, ApiContext } from "../verbs/context.ts";
import type { DeleteOptions } from "../verbs/delete-options.ts";
import { deleteObject } from "../verbs/delete.ts";
import { mutateStored } from "../verbs/mutate.ts";
import { storedResource } from "../verbs/names.ts";

export interface SystemVerbs {
  /** Through admission, as if a client had asked; harmless where the object isn't there, or is another by now. */
  delete(key: ObjectKey, options: DeleteOptions): Promise<void>;
  /** Past admission. The object goes where it was only waiting for this. */
  change(
    key: ObjectKey,
    change: (object: KubernetesObject) => KubernetesObject,
  ): Promise<StoredObject | undefined>;
  removeFinalizer(key: ObjectKey, finalizer: string): Promise<void>;
}

export function systemVerbs(context: ApiContext, signal: AbortSignal): SystemVerbs {
  const change: SystemVerbs["change"] = (key, make) => mutateStored(context.storage, key, make);
  return {
    change,
    delete: async (key, options) => {
      const call = callFor(key, signal);
      if (call === undefined) return;
      await deleteObject(context, call, options).catch((error: unknown) => {
        if (!(error instanceof StatusError) || !["NotFound", "Conflict"].includes(error.code)) throw error;
      });
    },
    removeFinalizer: async (key, finalizer) => {
      await change(key, (object) => {
        const { finalizers = [], ...metadata } = object.metadata;
        if (!finalizers.includes(finalizer)) return object;
        const left = finalizers.filter((one) => one !== finalizer);
        return { ...object, metadata: { ...metadata, ...(left.length > 0 && { finalizers: left }) } };
      });
    },
  };
}

function callFor(key: ObjectKey, signal: AbortSignal): ApiCall | undefined {
  const resource = storedResource(key.resource);
  if (resource === undefined) return undefined;
  return {
    resource,
    namespace: key.namespace,
    name: key.name,
    subresource: "",
    user: APISERVER,
    query: new URLSearchParams(),
    dryRun: false,
    fieldValidation: "Ignore",
    manager: "dray-apiserver",
    warnings: new Set(),
    signal,
  };
}
