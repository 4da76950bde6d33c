import assert from "node:assert/strict";
import { test } from "node:test";

import fc from "fast-check";

import { findImagePlaces, replaceImages } from "./image-places.ts";

const DIGEST = `sha256:${"a".repeat(64)}`;

function pin(text: string): string {
  const { places } = findImagePlaces(text);
  return replaceImages(text, places, ({ image }) => (image.includes("@") ? undefined : `${image}@${DIGEST}`));
}

const MANIFEST = `# a shop
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop}   # one line
spec:
  template:
    spec:
      initContainers:
      - image: 'init:1'
        name: i
      containers:
      - name: c
        image:   "nginx:1.27"  # keep me
      - {name: d, image: busybox}
      volumes:
      - name: data
        image: {reference: models/llm:3}
---
apiVersion: v1
kind: List
items:
- apiVersion: batch/v1
  kind: CronJob
  metadata: {name: nightly}
  spec: {jobTemplate: {spec: {template: {spec: {containers: [{name: c, image: &img tool:2}, {name: d, image: *img}]}}}}}
- {apiVersion: v1, kind: Service, spec: {image: untouched}}
`;

test("replaceImages() changes the images of Pods and templates, and no other byte", () => {
  const expected = MANIFEST.replace("'init:1'", `'init:1@${DIGEST}'`)
    .replace('"nginx:1.27"', `"nginx:1.27@${DIGEST}"`)
    .replace("image: busybox", `image: busybox@${DIGEST}`)
    .replace("models/llm:3", `models/llm:3@${DIGEST}`)
    .replace("tool:2", `tool:2@${DIGEST}`);
  assert.equal(pin(MANIFEST), expected);
  assert.equal(pin(pin(MANIFEST)), expected);
});

test("findImagePlaces() says where each image stands, and of which object", () => {
  const { places, problems } = findImagePlaces(MANIFEST);
  assert.deepEqual(problems, []);
  const [init, , , , nightly] = places;
  assert.deepEqual(
    { ...init, start: 0, end: 0, policy: undefined },
    {
      image: "init:1",
      path: "spec.template.spec.initContainers[0].image",
      kind: "Deployment",
      name: "web",
      namespace: "shop",
      line: 9,
      column: 16,
      start: 0,
      end: 0,
      policy: undefined,
    },
  );
  assert.equal(init?.policy.member, "imagePullPolicy");
  assert.equal(nightly?.path, "items[0].spec.jobTemplate.spec.template.spec.containers[0].image");
  assert.equal(places.length, 5);
});

test("line ends, a byte order mark and JSON stay what they are", () => {
  const pod = "kind: Pod\nspec:\n  containers:\n  - image: a:1 # x\n";
  const windows = `\u{feff}${pod.replaceAll("\n", "\r\n")}`;
  assert.equal(pin(windows), windows.replace("a:1", `a:1@${DIGEST}`));
  const json = `{\n\t"kind": "Pod", "spec": {"containers": [{"image":"a:1"}]}\n}\n`;
  assert.equal(pin(json), json.replace("a:1", `a:1@${DIGEST}`));
});

test("what can't be changed in place is said, with its place, and the rest is done", () => {
  const text = `kind: Pod
spec: {containers: [{image: "{{ .Values.image }}"}]}
---
{{- if .Values.x }}
---
kind: Pod
spec:
  containers:
  - image: >-
      folded:1
  - image: plain:1
`;
  const { places, problems } = findImagePlaces(text);
  assert.deepEqual(
    places.map(({ image }) => image),
    ["{{ .Values.image }}", "plain:1"],
  );
  assert.deepEqual(
    problems.map(({ line }) => line),
    [4, 9],
  );
});

test("whatever is asked for, everything outside the images stays", () => {
  const name = fc.stringMatching(/^[a-z][a-z0-9]{0,8}(:[a-z0-9]{1,5})?$/);
  const quote = fc.constantFrom("", '"', "'");
  fc.assert(
    fc.property(fc.array(fc.tuple(name, quote), { minLength: 1, maxLength: 6 }), (images) => {
      const lines = images.map(
        ([image, mark], index) => `  - {name: c${index}, image: ${mark}${image}${mark}} # ${index}`,
      );
      const text = `kind: Pod\nspec:\n  containers:\n${lines.join("\n")}\n`;
      const expected = lines.map((line, index) => {
        const [image = "", mark = ""] = images[index] ?? [];
        return line.replace(`${mark}${image}${mark}}`, `${mark}${image}@${DIGEST}${mark}}`);
      });
      assert.equal(pin(text), `kind: Pod\nspec:\n  containers:\n${expected.join("\n")}\n`);
    }),
  );
});
