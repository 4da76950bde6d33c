/**
 * The embedded Kubernetes API: the kinds that matter to images, kept in one SQLite file, for stock clients.
 *
 * A request goes through: who is it, may they, what is it; then a write is read and defaulted, looked at by admission,
 * prepared, validated and stored, and all who watch are told. What the server does by itself, it does the same way:
 * garbage collection, namespaces that end, events that are an hour old.
 *
 *     FOLDER/apiserver.db                  objects, and their changes for a while
 *     FOLDER/pki/                          the server's authority and certificate
 *     FOLDER/service-account.key           signs tokens of ServiceAccounts
 *     FOLDER/tokens.json                   digests of the administrator's token
 *     FOLDER/kubeconfig                    for kubectl; only its owner can read it
 *
 * ```ts
 * import { openApiServer } from "dray/apiserver";
 *
 * await using server = await openApiServer({ folder: "/tmp/dray-api" });
 * const send = server.transport();
 * const response = await send(new Request("https://api/api/v1/namespaces/default"));
 * (await response.json()).status; // { phase: "Active" }
 * // await server.listen({ port: 6443 }); and then: kubectl --kubeconfig /tmp/dray-api/kubeconfig get pods
 * ```
 */
export { type Status } from "../kubernetes/index.ts";
export { ApiServerError, type ApiServerErrorCode } from "./errors.ts";
export { type ApiClock } from "./clock.ts";
export { ADMIN, type ApiUser, MASTERS, NODES } from "./auth/user.ts";
export { type ApiServer, type ListeningApi, type ListenOptions } from "./running-server.ts";
export { type ApiServerOptions, openApiServer } from "./server.ts";
export { type ApiStorage, type Change, type ChangeType, type ListedObjects } from "./storage/storage.ts";
export {
  type ListRange,
  type ObjectKey,
  type Scope,
  type StoredObject,
  type Write,
} from "./storage/storage.ts";
export { StorageError, type StorageErrorCode } from "./storage/errors.ts";
export { type ControllersOptions } from "./controllers/context.ts";
export { type RunningControllers, startControllers } from "./controllers/start-controllers.ts";
