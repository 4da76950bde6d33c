import { CAUSES, type Explanation, type ImageTrace, isImageReason } from "../../explain/index.ts";

/**
 * What the shell is told: 0 when every image would come, else what its first cause ends in; 1 when images fail for
 * things that end differently.
 */
export function exitOf({ pods }: Explanation): number {
  const failures = pods.flatMap(({ causes, images }) =>
    [causes, ...images.map((image) => image.causes)].flatMap((list) => {
      const first = list.find(({ severity }) => severity === "failure");
      return first === undefined ? [] : [CAUSES[first.code].exit];
    }),
  );
  // Some causes are no failure by themselves, and some failures have no cause in the list.
  const unexplained = pods.some(({ images }) =>
    images.some((image) =>
      image.outcome.state === "failed" ? image.causes.length === 0 : failsThere(image),
    ),
  );
  const exits = new Set<number>(failures.map((exit) => (exit === 0 ? 1 : exit)));
  if (unexplained) exits.add(1);
  const [only = 0] = exits;
  return exits.size > 1 ? 1 : only;
}

/** Nobody here can tell, and the cluster says that it doesn't come. */
function failsThere({ outcome, observed, causes }: ImageTrace): boolean {
  const open = outcome.state === "unasked" || outcome.state === "unknown";
  const waits = observed?.state === "waiting" && isImageReason(observed.reason);
  return open && waits && !causes.some(({ severity }) => severity === "failure");
}
