import { collectPullSecrets, type PullSecret } from "../../../src/credentials/index.ts";
import {
  containerStatuses,
  logsError,
  type PreviousStatus,
  type RestartPolicy,
  type RuntimeContainer,
  type StartError,
  StartErrors,
} from "../../../src/images/index.ts";
import { byOperation, list, text, type Topic } from "../topic.ts";

type ByContainer = Readonly<Record<string, unknown>>;
/** By container; a reason alone has no message. */
type StartReasons = Readonly<Record<string, string | StartError>>;

export const topic: Topic = byOperation({
  containerStatuses(vector) {
    const containers = vector["containers"] as readonly string[];
    const errors = new StartErrors();
    for (const [container, error] of Object.entries((vector["reasons"] ?? {}) as StartReasons)) {
      errors.set("uid", container, typeof error === "string" ? { reason: error, message: "" } : error);
    }
    const history = list<RuntimeContainer>(vector, "statuses");
    const previous = list<PreviousStatus>(vector, "previousStatuses");
    const run = (init: boolean): Record<string, unknown> => {
      const statuses = containerStatuses({
        containers,
        history,
        previous,
        restartPolicy: (vector["restartPolicy"] ?? "OnFailure") as RestartPolicy,
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
    const pod = vector["pod"] as Readonly<Record<string, unknown>>;
    const namespace = String(pod["namespace"]);
    const existing = list<string>(vector, "existingSecrets");
    const fetch = async (name: string): Promise<PullSecret> => {
      if (!existing.includes(name)) throw new Error(`secret "${name}" not found`);
      return { name, namespace, uid: name, type: "kubernetes.io/dockerconfigjson", data: {} };
    };
    const { secrets, warning } = await collectPullSecrets(list<string>(pod, "imagePullSecrets"), fetch);
    const events = warning === undefined ? [] : [`Warning ${warning.reason} ${warning.message}`];
    return { actual: { secrets: secrets.map(({ name }) => name), events }, expected: vector["expect"] };
  },
  logsError: (vector) => ({
    actual: logsError(text(vector, "container"), text(vector, "pod"), text(vector, "waitingReason")),
    expected: vector["expect"],
  }),
});
