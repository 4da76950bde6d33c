/** What led to a verdict, as a tree of sentences: drawn on a terminal, or folded up on a page. */
import type { CredentialsTrace, ImageTrace, PodTrace } from "../../explain/index.ts";
import {
  conditionWords,
  contentWords,
  entryWords,
  exchangeNotes,
  exchangeWords,
  hostWords,
  nameWords,
  observedWords,
  plannedWords,
  presenceWords,
  runWords,
  slotWords,
  sourceWords,
} from "./words.ts";

export interface Branch {
  readonly text: string;
  readonly below: readonly Branch[];
}

export function podBranches(pod: PodTrace): readonly Branch[] {
  const { admission, account, pullSecrets } = pod;
  const steps = [
    ...admission.steps.map(({ plugin, field, message }) => leaf(`${plugin}: ${field} ${message}`)),
    ...admission.warnings.map((warning) => leaf(`warning: ${warning}`)),
    ...admission.errors.map(({ message }) => leaf(message)),
  ];
  const secrets =
    pullSecrets.names.length === 0
      ? "no pull secrets"
      : `pull secrets ${pullSecrets.names.join(", ")}, from ${pullSecrets.from === "pod" ? "the Pod" : "its ServiceAccount"}`;
  return [
    { text: `admission: ${ADMISSION[admission.state]}`, below: steps },
    leaf(
      `ServiceAccount ${account.name}: ${account.state === "assumed" ? "not given; every namespace has it" : account.state}${account.why === undefined ? "" : ` (${account.why})`}`,
    ),
    leaf(secrets),
    ...conditionWords(pod).map((words) => leaf(`condition ${words}`)),
  ];
}

const ADMISSION = {
  admitted: "the API server takes it",
  refused: "refused",
  invalid: "invalid",
  skipped: "it is stored as it is",
} as const;

export function imageBranch(image: ImageTrace): Branch {
  const { policy, credentials, hosts, attempts, decision } = image;
  return {
    text: `${slotWords(image)}: ${image.name.written}`,
    below: [
      leaf(`name: ${nameWords(image)}`),
      leaf(`policy: ${policy.value} (${policy.from}): ${policy.rule}`),
      leaf(`on the node: ${presenceWords(image)}`),
      ...(decision === undefined ? [] : [leaf(`decision: ${decision.action}, because ${decision.because}`)]),
      credentialsBranch(credentials),
      ...(hosts.length === 0
        ? []
        : [{ text: "hosts, in this order", below: hosts.map((host) => leaf(hostWords(host))) }]),
      ...attempts.map((attempt) => ({
        text: `asked as ${attempt.as}: ${attempt.result === "ok" ? "answered" : (attempt.error?.message ?? "failed")}${attempt.repeated ? " (as before)" : ""}`,
        below: attempt.repeated
          ? []
          : attempt.exchanges.map((exchange) => ({
              text: exchangeWords(exchange),
              below: exchangeNotes(exchange).map(leaf),
            })),
      })),
      ...plannedBranches(image),
      ...branchOf("content", contentWords(image)),
      ...branchOf("the cluster", observedWords(image)),
    ],
  };
}

function plannedBranches({ planned = [], name }: ImageTrace): readonly Branch[] {
  if (planned.length === 0) return [];
  return [{ text: `would ask ${name.registry ?? ""}`, below: planned.map((one) => leaf(plannedWords(one))) }];
}

const LOOKED = {
  "looked-up": "looked up",
  "not-needed": "not needed",
  failed: "the lookup failed",
} as const;

function credentialsBranch({ state, problem, sources, order }: CredentialsTrace): Branch {
  const tried = order.map(({ label, username, expires, fault }, index) =>
    leaf(
      `${index + 1}. ${label}, user ${JSON.stringify(username)}${expires === undefined ? "" : `, good until ${expires}`}${fault === undefined ? "" : `; ${fault}`}`,
    ),
  );
  return {
    text: `credentials: ${LOOKED[state]}${problem === undefined ? "" : `: ${problem}`}`,
    below: [
      ...sources.map((source) => ({
        text: sourceWords(source),
        below: [
          ...source.entries.map((entry) => leaf(entryWords(entry))),
          ...[runWords(source)].filter((words) => words !== undefined).map(leaf),
        ],
      })),
      ...(state === "looked-up"
        ? [
            tried.length === 0
              ? leaf("none: one attempt without a name")
              : { text: "tried in this order", below: tried },
          ]
        : []),
    ],
  };
}

function branchOf(title: string, words: readonly string[]): readonly Branch[] {
  const [first, ...rest] = words;
  return first === undefined ? [] : [{ text: `${title}: ${first}`, below: rest.map(leaf) }];
}

function leaf(text: string): Branch {
  return { text, below: [] };
}
