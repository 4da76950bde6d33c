import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../errors.ts";

export const doctor: Command = defineCommand({
  name: "doctor",
  summary: "Look for what is wrong before something fails",
  details: ["What is wrong with one image of one Pod is told by dray explain."],
  options: {},
  arguments: [{ name: "SUBJECT", summary: "node" }],
  examples: [{ command: "dray doctor node", summary: "This machine, as a node that pulls images" }],
  run({ positionals }) {
    const [subject] = positionals;
    const message = `There is no dray doctor ${JSON.stringify(subject)}: it takes node`;
    return Promise.reject(new UsageError(message, "doctor"));
  },
});
