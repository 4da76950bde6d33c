/**
 * The embedded Kubernetes API: the kinds that matter to images, kept in one SQLite file.
 */
export { type Status } from "../kubernetes/index.ts";
export { ApiServerError, type ApiServerErrorCode } from "./errors.ts";
export { type ApiClock } from "./clock.ts";
export { ADMIN, type ApiUser, MASTERS, NODES } from "./auth/user.ts";
export { type ApiServer, type ApiServerOptions, type ListeningApi, type ListenOptions } from "./server.ts";
export { openApiServer } from "./server.ts";
export { type ControllersOptions } from "./controllers/context.ts";
export { type RunningControllers, startControllers } from "./controllers/start-controllers.ts";
