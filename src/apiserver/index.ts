/**
 * The embedded Kubernetes API: the kinds that matter to images, kept in one SQLite file.
 */
export { type Status } from "../kubernetes/index.ts";
