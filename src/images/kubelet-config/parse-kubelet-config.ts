import { parse, YAMLParseError } from "yaml";

import { GoError } from "../../internal/go/errors.ts";
import { parseDuration } from "../../internal/go/duration.ts";
import { ImagesError } from "../errors.ts";
import { DEFAULT_GATES, type GivenImageConfig, type ImageGates } from "./image-config.ts";

export interface KubeletDocument {
  readonly given: GivenImageConfig;
  readonly gates: ImageGates;
}

const KIND = "KubeletConfiguration";
const API_VERSION = "kubelet.config.k8s.io/v1beta1";
const GATE = "KubeletEnsureSecretPulledImages";

/**
 * Reads the image fields of a kubelet's configuration file, YAML or JSON. All other fields are somebody else's.
 *
 * @throws ImagesError `CONFIGURATION_INVALID`
 */
export function parseKubeletConfig(text: string): KubeletDocument {
  let document: unknown;
  try {
    document = parse(text);
  } catch (error) {
    if (!(error instanceof YAMLParseError)) throw error;
    throw invalid(`not valid YAML: ${error.message.split("\n", 1)[0]}`, error);
  }
  const fields = new Fields(document, "the document");
  const [kind, version] = [fields.text("kind"), fields.text("apiVersion")];
  if (kind !== KIND || version !== API_VERSION) {
    throw invalid(
      `it is a ${JSON.stringify(kind)} of ${JSON.stringify(version)}, not a "${KIND}" of "${API_VERSION}"`,
    );
  }
  const gate = fields.fields("featureGates")?.boolean(GATE);
  return {
    gates: { ensureSecretPulled: gate ?? DEFAULT_GATES.ensureSecretPulled },
    given: {
      serializeImagePulls: fields.boolean("serializeImagePulls"),
      maxParallelImagePulls: fields.integer("maxParallelImagePulls"),
      registryPullQPS: fields.integer("registryPullQPS"),
      registryBurst: fields.integer("registryBurst"),
      imageGCHighThresholdPercent: fields.integer("imageGCHighThresholdPercent"),
      imageGCLowThresholdPercent: fields.integer("imageGCLowThresholdPercent"),
      imageMinimumGCAge: fields.duration("imageMinimumGCAge"),
      imageMaximumGCAge: fields.duration("imageMaximumGCAge"),
      nodeStatusMaxImages: fields.integer("nodeStatusMaxImages"),
      imagePullCredentialsVerificationPolicy: fields.text("imagePullCredentialsVerificationPolicy"),
      preloadedImagesVerificationAllowlist: fields.texts("preloadedImagesVerificationAllowlist"),
      containerRuntimeEndpoint: fields.text("containerRuntimeEndpoint"),
      imageServiceEndpoint: fields.text("imageServiceEndpoint"),
    },
  };
}

/** The members of one object; absent and null are the same. */
class Fields {
  readonly #members: Readonly<Record<string, unknown>>;

  constructor(value: unknown, what: string) {
    if (typeof value !== "object" || value === null || Array.isArray(value))
      throw invalid(`${what} is no object`);
    this.#members = value as Readonly<Record<string, unknown>>;
  }

  fields(name: string): Fields | undefined {
    const value = this.#find(name);
    return value === undefined ? undefined : new Fields(value, name);
  }

  text(name: string): string | undefined {
    return this.#typed(name, "a text", (value) => typeof value === "string");
  }

  boolean(name: string): boolean | undefined {
    return this.#typed(name, "true or false", (value) => typeof value === "boolean");
  }

  integer(name: string): number | undefined {
    const isInt32 = (value: unknown): value is number =>
      typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= 2 ** 31;
    return this.#typed(name, "a whole number", isInt32);
  }

  texts(name: string): readonly string[] | undefined {
    const areTexts = (value: unknown): value is readonly string[] =>
      Array.isArray(value) && value.every((item) => typeof item === "string");
    return this.#typed(name, "a list of texts", areTexts);
  }

  duration(name: string): bigint | undefined {
    const value = this.text(name);
    try {
      return value === undefined ? undefined : parseDuration(value);
    } catch (error) {
      if (!(error instanceof GoError)) throw error;
      throw invalid(`${name}: ${error.message}`, error);
    }
  }

  #typed<T>(name: string, what: string, is: (value: unknown) => value is T): T | undefined {
    const value = this.#find(name);
    if (value === undefined || is(value)) return value;
    throw invalid(`${name} is ${JSON.stringify(value)}, which is not ${what}`);
  }

  #find(name: string): unknown {
    return (Object.hasOwn(this.#members, name) ? this.#members[name] : undefined) ?? undefined;
  }
}

function invalid(why: string, cause?: unknown): ImagesError {
  return new ImagesError("CONFIGURATION_INVALID", `Cannot read kubelet configuration: ${why}`, { cause });
}
