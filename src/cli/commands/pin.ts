import { parseReference, type Reference } from "../../reference/index.ts";
import { type Command, defineCommand } from "../command.ts";
import { connect } from "../connect.ts";
import { UsageError } from "../errors.ts";
import { TAG_RULES } from "../pin/choose-tag.ts";
import { createdAt } from "../pin/created-at.ts";
import { parseUpdateRule, PinPlanner, type UpdateRule } from "../pin/plan-pins.ts";
import { runPin } from "../pin/run-pin.ts";
import { REGISTRY_OPTIONS } from "../shared-options.ts";

export const pin: Command = defineCommand({
  name: "pin",
  summary: "Pin the images of manifests to the digests that their tags stand for",
  details: [
    "Every image of a Pod or Pod template gets its digest beside its tag, NAME:TAG@DIGEST: the index's where there is one, so that each node still takes its own platform. Comments, order, quotes and line ends stay as they are; what is pinned already is left alone. Folders are searched for .yaml, .yml and .json files.",
    "--check changes nothing: it fails where an image isn't pinned, or where a tag has moved since, and says both digests and when their images were made. --update pins those anew. A rule lets tags that are versions move on: --rule 'docker.io/library/*=minor' makes nginx:1.27.1 the newest 1.x.y with the same suffix; digest (the default), patch, minor and major say how far, and the first rule that matches an image counts.",
    "Exit code 1 says that an image could not be looked up, or that --check found something to do.",
  ],
  options: {
    check: { type: "boolean", summary: "Change nothing; fail where an image isn't pinned or its tag moved" },
    update: { type: "boolean", summary: "Pin what has moved anew" },
    rule: {
      type: "string",
      value: "PATTERN=RULE",
      multiple: true,
      summary: "With --update or --check: how far tags may move: digest, patch, minor, major",
    },
    ...REGISTRY_OPTIONS,
  },
  arguments: [{ name: "FILE", summary: "Manifests, or folders of them", many: true }],
  examples: [
    { command: "dray pin manifests/", summary: "Pin what isn't pinned yet" },
    {
      command: "dray pin --check manifests/",
      summary: "In CI: is everything pinned, and has nothing moved?",
    },
    {
      command: "dray pin --update --rule 'docker.io/library/*=patch' deploy.yaml",
      summary: "Take what is new",
    },
  ],
  async run({ values, positionals }, context) {
    const { signal } = context;
    const [check, update] = [values.check === true, values.update === true];
    if (check && update) throw new UsageError("Options --check and --update contradict each other", "pin");
    const rules = (values.rule ?? []).map((text) => readRule(text));
    if (rules.length > 0 && !check && !update) {
      throw new UsageError("Option --rule needs --update or --check beside it", "pin");
    }
    await using access = await connect(values, [], context);
    const repository = (reference: Reference): ReturnType<typeof access.repository> =>
      access.repository(reference);
    return await runPin(
      {
        files: positionals,
        planner: new PinPlanner({ repository, update: check || update, rules, signal }),
        check,
        update,
        json: values.json === true,
        createdAt: (image, digest) => createdAt(repository(parseReference(image)), digest, { signal }),
      },
      context,
    );
  },
});

function readRule(text: string): UpdateRule {
  const rule = parseUpdateRule(text, TAG_RULES);
  if (rule !== undefined) return rule;
  const example = "docker.io/library/*=patch";
  throw new UsageError(
    `Cannot use ${JSON.stringify(text)} as --rule: write PATTERN=RULE with one of ${TAG_RULES.join(", ")}, such as ${example}`,
    "pin",
  );
}
