/** An explanation as one page that needs nothing else: no script, no font, no picture from elsewhere. */
import type { Advice, Explanation, Finding, ImageTrace, PodTrace } from "../../explain/index.ts";
import { type Branch, imageBranch, podBranches } from "./branches.ts";
import { outcomeWords, podWords, slotWords } from "./words.ts";

const STYLE = `
:root { color-scheme: light dark; --line: light-dark(#8888, #7779); --bad: light-dark(#b71c1c, #ff8a80);
  --risk: light-dark(#8a5000, #ffb74d); --good: light-dark(#1b5e20, #81c784); --faint: light-dark(#555, #aaa); }
body { font: 15px/1.5 system-ui, sans-serif; max-width: 70rem; margin: 2rem auto; padding: 0 1rem;
  overflow-wrap: anywhere; }
h1 { font-size: 1.4rem; } h2 { font-size: 1.15rem; margin-top: 2.5rem; } h3 { font-size: 1rem; margin: 1.5rem 0 .3rem; }
code, pre { font: 13px/1.45 ui-monospace, monospace; }
h3 code { font-size: inherit; font-weight: inherit; }
pre { padding: .6rem .8rem; border: 1px solid var(--line); border-radius: .3rem; margin: .3rem 0; white-space: pre-wrap; }
.finding { border-left: .25rem solid var(--line); padding: .2rem .8rem; margin: .8rem 0; }
.finding p, details p { margin: .4rem 0; } .finding small { color: var(--faint); }
.failure { border-color: var(--bad); } .risk { border-color: var(--risk); }
.failed { color: var(--bad); } .present, .pullable { color: var(--good); } .unknown, .unasked { color: var(--risk); }
summary { cursor: pointer; }
details { margin: .4rem 0; } details details { margin-left: 1rem; } ul { margin: .2rem 0; padding-left: 1.3rem; }
@media (max-width: 40rem) { body { margin: 1rem auto; } details details { margin-left: .5rem; } }
footer { margin-top: 3rem; color: var(--faint); }
`;

export function printHtml(explanation: Explanation): string {
  const { pods, problems, unseen, at, exchanges, network } = explanation;
  const notes = [
    ...problems.map((problem) => `Left out: ${problem}`),
    ...unseen.map((what) => `Not seen: ${what}`),
  ];
  const asked = network ? `${exchanges} requests were sent` : "No registry was asked";
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<title>Why images do or don't come</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Why images do or don't come</h1>
${notes.length === 0 ? "" : list(notes)}
${pods.map(podHtml).join("\n")}
<footer>dray explain, ${escape(at)}. ${asked}.</footer>
</body>
</html>
`;
}

function podHtml(pod: PodTrace): string {
  return `<h2>${escape(podWords(pod))}</h2>
${pod.causes.map(findingHtml).join("\n")}
${pod.images.map(imageHtml).join("\n")}
${branchHtml({ text: "The Pod", below: podBranches(pod) })}`;
}

function imageHtml(image: ImageTrace): string {
  const { outcome, name, causes } = image;
  return `<h3>${escape(slotWords(image))}: <code>${escape(name.written)}</code></h3>
<p class="${outcome.state}">${escape(outcomeWords(image))}</p>
${causes.map(findingHtml).join("\n")}
${branchHtml({ text: "What led to it", below: imageBranch(image).below })}`;
}

/** Folded up, if there is something to fold. */
function branchHtml({ text, below }: Branch): string {
  if (below.length === 0) return escape(text);
  const items = below.map((one) => `<li>${branchHtml(one)}</li>`).join("\n");
  return `<details><summary>${escape(text)}</summary><ul>\n${items}\n</ul></details>`;
}

function findingHtml({ code, severity, summary, advice, page }: Finding): string {
  return `<div class="finding ${severity}"><strong>${escape(code)}</strong> ${escape(summary)}${advice.map(adviceHtml).join("")}<p><small>${escape(page)}</small></p></div>`;
}

function adviceHtml({ text, command, yaml }: Advice): string {
  const paste = [command, yaml].filter((one) => one !== undefined);
  return `<p>${escape(text)}</p>${paste.map((one) => `<pre>${escape(one)}</pre>`).join("")}`;
}

function list(words: readonly string[]): string {
  return words.length === 0 ? "" : `<ul>${words.map((word) => `<li>${escape(word)}</li>`).join("")}</ul>`;
}

const ENTITIES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  '"': "&quot;",
  "'": "&#39;",
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}
