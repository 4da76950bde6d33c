/** What `dray up` keeps an eye on beside the Pods: the files credentials come from, and the images that are here. */
import { setTimeout as sleep } from "node:timers/promises";

import type { ImageNode } from "../../node/index.ts";
import type { NodeMetrics } from "../metrics/node-metrics.ts";
import { describeError } from "../report-error.ts";
import type { NodeCredentials } from "./node-credentials.ts";
import { collectNodeImages, type NodeImages, type NodeImagesOptions } from "./node-images.ts";

/** Milliseconds between looks at the files credentials come from. */
const CREDENTIALS_LOOK = 2000;

export function watchCredentials(
  credentials: NodeCredentials,
  {
    node,
    stack,
    metrics,
    onWarning,
  }: {
    readonly node: ImageNode;
    readonly stack: AsyncDisposableStack;
    readonly metrics: NodeMetrics;
    readonly onWarning: (message: string) => void;
  },
): void {
  const look = async (): Promise<void> => {
    try {
      if (!(await credentials.refresh())) return;
      const { providerConfigHash } = credentials;
      if (providerConfigHash !== undefined) metrics.setProviderConfig(providerConfigHash);
      node.credentialsChanged({ kind: "node" });
    } catch (error) {
      onWarning(describeError(error).message);
    }
  };
  const timer = setInterval(() => void look(), CREDENTIALS_LOOK);
  stack.defer(() => clearInterval(timer));
}

/** Lists images now and every half minute, as the kubelet does, and collects them where that was asked for. */
export function watchImages(
  wiring: NodeImagesOptions,
  {
    node,
    stack,
    images,
    onWarning,
    onListed,
  }: {
    readonly node: ImageNode;
    readonly stack: AsyncDisposableStack;
    readonly images: NodeImages;
    readonly onWarning: (message: string) => void;
    readonly onListed: () => void;
  },
): { readonly lookAgain: () => Promise<void> } {
  const controller = new AbortController();
  const { signal } = controller;
  const collecting = collectNodeImages(
    { ...wiring, onWarning },
    {
      ...images,
      state: () => node.state,
      onEvent: (event) => {
        node.record(event);
        onWarning(event.message);
      },
      wait: async (milliseconds, aborted) => {
        // Something was listed, collected or both.
        onListed();
        await sleep(milliseconds, undefined, { signal: aborted });
      },
      signal,
    },
  );
  stack.defer(async () => {
    controller.abort();
    await collecting;
  });
  // Whoever asks after the end wants to know what came, not what was here half a minute before.
  const lookAgain = async (): Promise<void> => {
    try {
      await images.listed.refresh();
    } catch (error) {
      onWarning(describeError(error).message);
    }
  };
  return { lookAgain };
}
