/**
 * The image service of the CRI over gRPC, for kubelets and for people with `crictl`.
 */
export { type ServiceImage } from "../images/index.ts";
