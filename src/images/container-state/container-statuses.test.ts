import assert from "node:assert/strict";
import { test } from "node:test";

import { containerStatuses, type StatusFacts } from "./container-statuses.ts";
import { StartErrors } from "./start-errors.ts";

const ERROR = { reason: "ErrImagePull", message: "no such tag" };
const WAITING = { waiting: ERROR };

function stateOf(facts: Partial<StatusFacts>): unknown {
  const [status] = containerStatuses({
    containers: ["c"],
    history: [],
    previous: [],
    restartPolicy: "Always",
    init: false,
    hasInit: false,
    startError: () => ERROR,
    ...facts,
  });
  return status?.state;
}

test("a start error shows where the container would be started again, and only there", () => {
  const exited = (exitCode: number) => [{ name: "c", state: "Exited", exitCode }] as const;
  const terminated = (exitCode: number): unknown => ({ terminated: { exitCode, containerID: "://" } });
  assert.deepEqual(stateOf({}), WAITING);
  assert.deepEqual(stateOf({ history: exited(0) }), WAITING);
  assert.deepEqual(stateOf({ history: exited(0), init: true }), terminated(0));
  assert.deepEqual(stateOf({ history: exited(0), restartPolicy: "OnFailure" }), terminated(0));
  assert.deepEqual(stateOf({ history: exited(1), restartPolicy: "OnFailure" }), WAITING);
  assert.deepEqual(stateOf({ history: exited(1), restartPolicy: "Never" }), terminated(1));
  assert.deepEqual(stateOf({ history: [{ name: "c", state: "Running" }] }), { running: {} });
  assert.deepEqual(stateOf({ history: [{ name: "c", state: "Created" }] }), WAITING);
  assert.deepEqual(stateOf({ history: [{ name: "c", state: "Created" }], startError: () => undefined }), {
    waiting: {},
  });
});

test("a container that vanished while running is told as lost, and one that ended stays ended", () => {
  const none = { startError: () => undefined };
  const [vanished] = containerStatuses({
    containers: ["c"],
    history: [],
    previous: [{ name: "c", state: { running: {} } }],
    restartPolicy: "Always",
    init: false,
    hasInit: false,
    ...none,
  });
  assert.deepEqual(vanished?.state, { waiting: { reason: "ContainerCreating" } });
  assert.deepEqual(vanished.lastTerminationState, {
    terminated: {
      exitCode: 137,
      reason: "ContainerStatusUnknown",
      message:
        "The container could not be located when the pod was deleted.  The container used to be Running",
    },
  });
  const ended = { terminated: { exitCode: 3 } };
  assert.deepEqual(stateOf({ previous: [{ name: "c", state: ended }], ...none }), ended);
});

test("start errors are forgotten by use: a thousand are kept, a success takes its own away", () => {
  const errors = new StartErrors({ capacity: 2 });
  errors.set("p", "a", ERROR);
  errors.set("p", "b", ERROR);
  errors.find("p", "a");
  errors.set("q", "a", ERROR);
  assert.deepEqual(
    [errors.find("p", "a"), errors.find("p", "b"), errors.find("q", "a")],
    [ERROR, undefined, ERROR],
  );
  errors.delete("q", "a");
  assert.equal(errors.find("q", "a"), undefined);
});

test("statuses come by name, those of init containers in the order they run", () => {
  const names = (init: boolean): readonly string[] =>
    containerStatuses({
      containers: ["web", "agent"],
      history: [],
      previous: [],
      restartPolicy: "Always",
      init,
      hasInit: init,
      startError: () => undefined,
    }).map(({ name }) => name);
  assert.deepEqual(names(false), ["agent", "web"]);
  assert.deepEqual(names(true), ["web", "agent"]);
});
