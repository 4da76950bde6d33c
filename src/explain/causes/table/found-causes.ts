import type { Cause } from "../cause.ts";

export type FoundCauseCode =
  | "TAG_MISSING"
  | "REPOSITORY_MISSING"
  | "DIGEST_MISSING"
  | "CONTENT_MISSING"
  | "PLATFORM_MISSING"
  | "PLATFORM_MISMATCH"
  | "MANIFEST_UNSUPPORTED"
  | "MANIFEST_INVALID"
  | "DIGEST_MISMATCH";

/** What a registry has, and what is wrong with it. */
export const FOUND_CAUSES: Readonly<Record<FoundCauseCode, Cause>> = {
  TAG_MISSING: {
    title: "There is no such tag",
    exit: 3,
    symptoms: [
      'ErrImagePull: rpc error: code = NotFound desc = failed to pull and unpack image "registry.example.com/shop/web:1.1": failed to resolve image: registry.example.com/shop/web:1.1: not found',
    ],
    story:
      "The registry answered, and has no manifest under this tag. It was never pushed, was pushed elsewhere, or was deleted by a retention rule. Many registries give the same answer for a repository that doesn't exist at all.",
    see: "`dray tags REPOSITORY` lists what is there.",
    fix: "Correct the tag, or push it.",
    example: "tag-missing",
  },
  REPOSITORY_MISSING: {
    title: "There is no such repository",
    exit: 3,
    symptoms: ["ErrImagePull: failed to resolve image: registry.example.com/shop/wep:1: not found"],
    story:
      "The registry answered that it has no repository of this name. A name without a registry is Docker Hub's: `web:1` is `docker.io/library/web:1`.",
    see: "The normalised name in the explanation shows which registry and repository are really asked.",
    fix: "Correct the name, put the registry in front, or push the image first.",
    example: "repository-missing",
  },
  DIGEST_MISSING: {
    title: "There is no content with this digest",
    exit: 3,
    symptoms: [
      "ErrImagePull: rpc error: code = NotFound desc = failed to resolve image: registry.example.com/shop/web@sha256:…: not found",
    ],
    story:
      "A digest names one exact content; the repository doesn't have it. Usual reasons: the digest is that of a local image or of another repository, or the manifest was deleted when its last tag moved on.",
    see: "`dray digest REPOSITORY:TAG` says what a tag stands for now.",
    fix: "Use a digest that the registry gives for a tag of this repository, and keep what is pinned from being collected.",
    example: "digest-missing",
  },
  CONTENT_MISSING: {
    title: "The manifest is there, and a part of the image isn't",
    exit: 6,
    symptoms: [
      "ErrImagePull: failed to copy: httpReadSeeker: failed open: content at https://registry.example.com/v2/shop/web/blobs/sha256:… not found",
    ],
    story:
      "The registry serves a manifest whose config or layers it doesn't have: storage that was lost, a collection that ran during a push, or a mirror that copied manifests only.",
    see: "The explanation marks the layers that a HEAD doesn't find.",
    fix: "Push the image again; if the registry thinks it has the layers, delete the tag first.",
    example: "content-missing",
  },
  PLATFORM_MISSING: {
    title: "The image isn't made for this node's platform",
    exit: 3,
    symptoms: [
      "ErrImagePull: rpc error: code = NotFound desc = no match for platform in manifest sha256:…: not found",
    ],
    story:
      "The name stands for an index of images for several platforms, and none of them is the node's operating system and processor.",
    see: "`dray manifest IMAGE` lists the platforms.",
    fix: "Build for the missing platform, too (`docker buildx build --platform linux/amd64,linux/arm64`), or keep the Pod on nodes that fit.",
    example: "platform-missing",
  },
  PLATFORM_MISMATCH: {
    title: "The image is for another platform, and is pulled all the same",
    exit: 0,
    symptoms: ["exec /app: exec format error", "CrashLoopBackOff"],
    story:
      "A name that stands for one image and no index is pulled whatever it is made for. Its config says another platform than the node's, so its programs can't run there.",
    see: "`dray config IMAGE` shows `os` and `architecture`.",
    fix: "Build for the node's platform, best as an index for all that you have.",
    example: "platform-mismatch",
  },
  MANIFEST_UNSUPPORTED: {
    title: "What the name stands for is no image that nodes can use",
    exit: 6,
    symptoms: [
      "ErrImagePull: rpc error: code = InvalidArgument desc = schema 1 image manifests are no longer supported: invalid argument",
    ],
    story:
      "The registry has something under this name, but it is Docker's old schema 1, a Helm chart, a signature or another artifact.",
    see: "`dray manifest IMAGE` prints it; its media type and that of its config tell what it is.",
    fix: "Push the image again with a current tool, or name the image instead of its artifact.",
    example: "manifest-unsupported",
  },
  MANIFEST_INVALID: {
    title: "The manifest makes no sense",
    exit: 6,
    symptoms: ["ErrImagePull: failed to unmarshal manifest: invalid character"],
    story:
      "The registry's answer is a document that can't be read, contradicts itself, or is larger than any manifest may be.",
    see: "`dray manifest IMAGE` prints what came, byte for byte.",
    fix: "Push the image again; ask whoever runs the registry if others fail, too.",
    example: "manifest-invalid",
  },
  DIGEST_MISMATCH: {
    title: "The content isn't what its digest says",
    exit: 6,
    symptoms: [
      'ErrImagePull: rpc error: code = FailedPrecondition desc = failed commit on ref "config-sha256:…": unexpected commit digest sha256:…, expected sha256:…: failed precondition',
    ],
    story:
      "Every byte is checked against the digest it was asked for. These don't fit: damaged storage, a proxy that changes content, or somebody in between.",
    see: "Ask the registry itself, past mirrors and proxies, and compare.",
    fix: "Push the image again from a good copy. If only a mirror is wrong, clear its cache.",
    example: "digest-mismatch",
  },
};
