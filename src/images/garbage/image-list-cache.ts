import type { ImageService, ServiceCallOptions, ServiceImage } from "../image-service.ts";
import { sortBySize } from "../node-status-images.ts";

/** The images as last listed, the largest first: what a Node's status tells without asking the runtime each time. */
export class ImageListCache {
  readonly #service: Pick<ImageService, "list">;
  #images: readonly ServiceImage[] = [];

  constructor(service: Pick<ImageService, "list">) {
    this.#service = service;
  }

  get images(): readonly ServiceImage[] {
    return this.#images;
  }

  /** Lists anew; when that fails, the old list stays. */
  async refresh(options: ServiceCallOptions = {}): Promise<void> {
    this.#images = sortBySize(await this.#service.list(options));
  }
}
