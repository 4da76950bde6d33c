/**
 * The rooms of the house, in the order an image travels, and which room may enter which. This is the one place that
 * says so: test/imports.test.ts holds the sources, `exports` in package.json and the map in README.md to it.
 */

export interface Room {
  /** One line for the map. */
  readonly purpose: string;
  /** Rooms it may enter, through their doors; "every" is for the room that wires all of them. */
  readonly enters: readonly string[] | "every";
}

export const ROOMS: Readonly<Record<string, Room>> = {
  oci: {
    purpose: "the specs' words: digest, descriptor, manifest, platform, content ports, copy",
    enters: [],
  },
  reference: { purpose: "an image string to a Reference, and back", enters: ["oci"] },
  credentials: { purpose: "who are we to this repository?", enters: ["oci", "reference"] },
  client: {
    purpose: "speak the distribution protocol to a registry",
    enters: ["oci", "reference", "credentials"],
  },
  store: { purpose: "keep verified blobs, and the names that point at them", enters: ["oci", "reference"] },
  archive: {
    purpose: "images in folders and tar files: OCI layout, OCI and Docker archives",
    enters: ["oci", "reference"],
  },
  images: {
    purpose: "ensure, pull and keep images on one node",
    enters: ["oci", "reference", "credentials", "client", "store"],
  },
  kubernetes: {
    purpose: "the objects we read and write; reaching an API server",
    enters: ["oci", "reference"],
  },
  admission: {
    purpose: "may this Pod run these images, and as what?",
    enters: ["oci", "reference", "kubernetes"],
  },
  apiserver: { purpose: "the embedded Kubernetes API", enters: ["kubernetes", "admission"] },
  node: {
    purpose: "bring the Pods' images here, and say how it goes",
    enters: ["oci", "reference", "credentials", "images", "kubernetes"],
  },
  unpack: { purpose: "an image's layers made a folder of files", enters: ["oci", "reference"] },
  cri: {
    purpose: "the image service over gRPC; containerd behind it",
    enters: ["oci", "reference", "credentials", "images", "unpack"],
  },
  registry: {
    purpose: "the distribution protocol, served from a store",
    enters: ["oci", "reference", "store"],
  },
  explain: {
    purpose: "why an image was or was not pulled",
    enters: ["oci", "reference", "credentials", "client", "images", "kubernetes", "admission"],
  },
  build: { purpose: "images made from files", enters: ["oci", "reference", "store", "archive"] },
  cli: { purpose: "commands, and the wiring of all the rooms", enters: "every" },
};

/** The ground everyone stands on: open to all, and entering no room except for the words of `oci`. */
export const GROUND: readonly string[] = ["errors.ts", "internal"];
