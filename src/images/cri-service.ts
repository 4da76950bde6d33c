/** Between the kubelet's image specs and CRI's, and what its client makes of a service's answers. */
import { goQuote } from "../internal/go/quote.ts";
import { ImagesError } from "./errors.ts";
import type { Annotation, ImageSpec } from "./image-service.ts";

/** An ImageSpec as it travels. */
export interface CriImageSpec {
  readonly image: string;
  readonly annotations: Readonly<Record<string, string>>;
  readonly runtimeHandler: string;
}

export interface SpecOptions {
  /** Whether runtime handlers travel with images: the gate RuntimeClassInImageCriApi, off by default. */
  readonly byHandler?: boolean | undefined;
}

export function toCriSpec(
  { image, annotations, runtimeHandler }: ImageSpec,
  options: SpecOptions = {},
): CriImageSpec {
  return {
    image,
    annotations: Object.fromEntries(annotations.map(({ name, value }) => [name, value])),
    runtimeHandler: options.byHandler === true ? runtimeHandler : "",
  };
}

/** The spec of an image that a service listed. It goes by the image's id. */
export function fromCriSpec(
  image: { readonly id: string; readonly spec?: Partial<CriImageSpec> | null | undefined },
  options: SpecOptions = {},
): ImageSpec {
  const annotations = Object.entries(image.spec?.annotations ?? {}).map(([name, value]): Annotation => ({
    name,
    value,
  }));
  annotations.sort((a, b) => (a.name < b.name ? -1 : 1));
  const runtimeHandler = options.byHandler === true ? (image.spec?.runtimeHandler ?? "") : "";
  return { image: image.id, annotations, runtimeHandler };
}

/** What a failed PullImage says to the Pod: only an error without a code of its own loses its dressing. */
export function describeRpcError(code: string, message: string): string {
  return code === "Unknown" ? message : `rpc error: code = ${code} desc = ${message}`;
}

/** @throws ImagesError `PULL_FAILED` when the service named no image */
export function checkPulledRef(image: string, imageRef: string): string {
  if (imageRef !== "") return imageRef;
  throw new ImagesError("PULL_FAILED", `imageRef of image ${goQuote(image)} is not set`);
}

/** @throws ImagesError `IMAGE_STATUS_INVALID` for an image without an id or a size */
export function checkStatus<T extends { readonly id: string; readonly size: number }>(
  image: string,
  status: T | undefined,
): T | undefined {
  if (status === undefined || (status.id !== "" && status.size !== 0)) return status;
  throw new ImagesError("IMAGE_STATUS_INVALID", `Id or size of image ${goQuote(image)} is not set`);
}
