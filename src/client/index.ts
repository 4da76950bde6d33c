/** Speak the distribution protocol to a registry. */
export { ClientError, type ClientErrorCode, type RegistryErrorEntry } from "./errors.ts";
export { type HostCapability, type HostResolver, type RegistryHost } from "./host.ts";
export { type HttpRequest, type HttpResponse, type HttpSend, type TlsSettings } from "./http.ts";
