import { notFound } from "../../kubernetes/index.ts";
import type { StoredObject } from "../storage/storage.ts";
import type { ApiCall, ApiContext } from "./context.ts";
import { keyOf, resourceSubject } from "./names.ts";
import { presentStored, type Presented } from "./present.ts";

/** GET of one object. */
export async function getObject(context: ApiContext, call: ApiCall): Promise<Presented> {
  return presentStored(call.resource, await getStored(context, call));
}

/** @throws StatusError when it isn't there */
export async function getStored(context: ApiContext, call: ApiCall): Promise<StoredObject> {
  const found = await context.storage.find(keyOf(call));
  if (found === undefined) throw notFound(resourceSubject(call));
  return found;
}
