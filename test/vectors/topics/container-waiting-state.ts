import { collectPullSecrets, type PullSecret } from "../../../src/credentials/index.ts";
import {
  containerStatuses,
  logsError,
  type PreviousStatus,
  type RuntimeContainer,
  StartErrors,
} from "../../../src/images/index.ts";
import { byOperation, text, type Topic } from "../topic.ts";

type ByContainer = Readonly<Record<string, unknown>>;

export const topic: Topic = byOperation({
  containerStatuses(vector) {
    const containers = vector["containers"] as readonly string[];
    const errors = new StartErrors();
    for (const [container, reason] of Object.entries(vector["reasons"] as Readonly<Record<string, string>>)) {
      errors.set("uid", container, { reason, message: "" });
    }
    const history = vector["statuses"] as readonly RuntimeContainer[];
    const previous = (vector["previousStatuses"] ?? []) as readonly PreviousStatus[];
    const run = (init: boolean): Record<string, unknown> => {
      const statuses = containerStatuses({
        containers,
        history,
        previous,
        restartPolicy: "OnFailure",
        init,
        hasInit: init,
        startError: (container) => errors.find("uid", container),
      });
      const state = Object.fromEntries(statuses.map((status) => [status.name, status.state]));
      const last = statuses.filter(
        ({ lastTerminationState }) => Object.keys(lastTerminationState).length > 0,
      );
      return {
        state,
        last: Object.fromEntries(last.map((status) => [status.name, status.lastTerminationState])),
      };
    };
    const last = (vector["expectLastTerminationState"] ?? {}) as ByContainer;
    const state = vector["expectState"] as ByContainer;
    return {
      actual: [run(false), run(true)],
      expected: [
        { state, last },
        { state: vector["expectInitState"] ?? state, last },
      ],
    };
  },
  async getPullSecretsForPod(vector) {
    const { namespace, imagePullSecrets } = vector["pod"] as {
      readonly namespace: string;
      readonly imagePullSecrets: readonly string[];
    };
    const existing = vector["existingSecrets"] as readonly string[];
    const fetch = async (name: string): Promise<PullSecret> => {
      if (!existing.includes(name)) throw new Error(`secret "${name}" not found`);
      return { name, namespace, uid: name, type: "kubernetes.io/dockerconfigjson", data: {} };
    };
    const { secrets, warning } = await collectPullSecrets(imagePullSecrets, fetch);
    const events = warning === undefined ? [] : [`Warning ${warning.reason} ${warning.message}`];
    return { actual: { secrets: secrets.map(({ name }) => name), events }, expected: vector["expect"] };
  },
  logsError: (vector) => ({
    actual: logsError(text(vector, "container"), text(vector, "pod"), text(vector, "waitingReason")),
    expected: vector["expect"],
  }),
});
