/**
 * The texts of the record files, byte for byte the kubelet's, so that either can take over the other's folder.
 *
 * ```text
 * {"kind":"ImagePullIntent","apiVersion":"kubelet.config.k8s.io/v1beta1","image":"busybox"}
 * {"kind":"ImagePulledRecord","apiVersion":"kubelet.config.k8s.io/v1beta1","lastUpdatedTime":"2024-10-21T12:26:40Z",
 *  "imageRef":"sha256:…","credentialMapping":{"docker.io/library/busybox":{"nodePodsAccessible":true}}}
 * ```
 *
 * One line each, with a line feed at its end that readers don't insist on.
 */
import { GoError } from "../../internal/go/errors.ts";
import {
  decodeStrict,
  goBool,
  goCustom,
  goMap,
  goSlice,
  goString,
  goStruct,
  type GoType,
  type GoValue,
} from "../../internal/go/json-decode.ts";
import { encodeJson, type GoJson } from "../../internal/go/json-encode.ts";
import { type JsonNode, parseJson } from "../../internal/go/json-parse.ts";
import { goQuote } from "../../internal/go/quote.ts";
import { ImagesError } from "../errors.ts";
import type { ImagePullCredentials, ImagePulledRecord, ImagePullIntent } from "./record.ts";

export const CURRENT_VERSION = "kubelet.config.k8s.io/v1beta1";
const READABLE: readonly string[] = [CURRENT_VERSION, "kubelet.config.k8s.io/v1alpha1"];

/** A decoded file and the version it was written in. */
export interface Decoded<T> {
  readonly value: T;
  readonly apiVersion: string;
}

export function encodeIntent({ image }: ImagePullIntent): string {
  return `${encodeJson({ kind: "ImagePullIntent", apiVersion: CURRENT_VERSION, image })}\n`;
}

export function encodePulledRecord({
  lastUpdatedTime,
  imageRef,
  credentialMapping,
}: ImagePulledRecord): string {
  const mapping = new Map<string, GoJson>();
  for (const [name, credentials] of credentialMapping) mapping.set(name, shape(credentials));
  const json = encodeJson({
    kind: "ImagePulledRecord",
    apiVersion: CURRENT_VERSION,
    lastUpdatedTime: lastUpdatedTime === undefined ? null : formatTime(lastUpdatedTime),
    imageRef,
    credentialMapping: mapping.size === 0 ? undefined : mapping,
  });
  return `${json}\n`;
}

/** @throws ImagesError `RECORD_UNREADABLE` */
export function decodeIntent(text: string): Decoded<ImagePullIntent> {
  const { image, apiVersion } = decode(text, "ImagePullIntent", INTENT);
  return { value: { image }, apiVersion };
}

/** @throws ImagesError `RECORD_UNREADABLE` */
export function decodePulledRecord(text: string): Decoded<ImagePulledRecord> {
  const { lastUpdatedTime, imageRef, credentialMapping, apiVersion } = decode(
    text,
    "ImagePulledRecord",
    PULLED,
  );
  const mapping = new Map<string, ImagePullCredentials>();
  for (const [name, credentials] of credentialMapping ?? []) mapping.set(name, tidy(credentials));
  return { value: { lastUpdatedTime, imageRef, credentialMapping: mapping }, apiVersion };
}

const TYPE_META = { kind: goString, apiVersion: goString };
const COORDINATES = { uid: goString, namespace: goString, name: goString };
const SECRET = goStruct(
  "ImagePullSecret",
  { ...COORDINATES, credentialHash: goString },
  "v1beta1.ImagePullSecret",
);
const ACCOUNT = goStruct("ImagePullServiceAccount", COORDINATES, "v1beta1.ImagePullServiceAccount");
const CREDENTIALS = goStruct(
  "ImagePullCredentials",
  {
    kubernetesSecrets: goSlice("[]v1beta1.ImagePullSecret", SECRET),
    kubernetesServiceAccounts: goSlice("[]v1beta1.ImagePullServiceAccount", ACCOUNT),
    nodePodsAccessible: goBool,
  },
  "v1beta1.ImagePullCredentials",
);
const INTENT = goStruct("ImagePullIntent", { ...TYPE_META, image: goString }, "v1beta1.ImagePullIntent");
const PULLED = goStruct(
  "ImagePulledRecord",
  {
    ...TYPE_META,
    lastUpdatedTime: goCustom("v1.Time", undefined, readTime),
    imageRef: goString,
    credentialMapping: goMap("map[string]v1beta1.ImagePullCredentials", CREDENTIALS),
  },
  "v1beta1.ImagePulledRecord",
);
const META = goStruct("TypeMeta", TYPE_META);

function decode<T>(text: string, kind: string, type: GoType<T>): T & { readonly apiVersion: string } {
  try {
    const node = parseJson(text);
    const { value: meta } = decodeStrict(node, META);
    if (meta.kind === "") throw new GoError(`Object 'Kind' is missing in '${text}'`);
    if (!READABLE.includes(meta.apiVersion)) {
      const [kindText, version] = [goQuote(meta.kind), goQuote(meta.apiVersion)];
      throw new GoError(`no kind ${kindText} is registered for version ${version}`);
    }
    if (meta.kind !== kind)
      throw new GoError(`the file holds a ${goQuote(meta.kind)}, not a ${goQuote(kind)}`);
    const { value, strictErrors } = decodeStrict(node, type);
    if (strictErrors.length > 0) throw new GoError(`strict decoding error: ${strictErrors.join(", ")}`);
    return { ...value, apiVersion: meta.apiVersion };
  } catch (error) {
    if (!(error instanceof GoError)) throw error;
    throw new ImagesError("RECORD_UNREADABLE", error.message, { cause: error });
  }
}

/** Without what is empty. */
function tidy(credentials: GoValue<typeof CREDENTIALS>): ImagePullCredentials {
  const { kubernetesSecrets = [], kubernetesServiceAccounts = [], nodePodsAccessible } = credentials;
  return {
    ...(kubernetesSecrets.length > 0 && { kubernetesSecrets }),
    ...(kubernetesServiceAccounts.length > 0 && { kubernetesServiceAccounts }),
    ...(nodePodsAccessible && { nodePodsAccessible }),
  };
}

function shape(credentials: ImagePullCredentials): GoJson {
  const { kubernetesSecrets = [], kubernetesServiceAccounts = [], nodePodsAccessible } = credentials;
  const secrets = kubernetesSecrets.map(({ uid, namespace, name, credentialHash }) => {
    return { uid, namespace, name, credentialHash };
  });
  const accounts = kubernetesServiceAccounts.map(({ uid, namespace, name }) => ({ uid, namespace, name }));
  return {
    kubernetesSecrets: secrets.length === 0 ? undefined : secrets,
    kubernetesServiceAccounts: accounts.length === 0 ? undefined : accounts,
    nodePodsAccessible: nodePodsAccessible === true ? true : undefined,
  };
}

/** As Go reads it: an hour may have one digit, a fraction a comma. */
const RFC3339 =
  /^(\d{4}-\d\d-\d\d)T(\d\d?)(:[0-5]\d:[0-5]\d)(?:[.,](\d+))?(Z|[+-](?:[01]\d|2[0-4]):(?:[0-5]\d|60))$/;
/** Go's zero time, written out. */
const ZERO_TIME = Date.parse("0001-01-01T00:00:00Z");

function formatTime(moment: number): string {
  return `${new Date(Math.floor(moment / 1000) * 1000).toISOString().slice(0, 19)}Z`;
}

function readTime(node: JsonNode): number | undefined {
  if (node.kind === "null") return undefined;
  if (node.kind !== "string")
    throw new GoError(`json: cannot unmarshal ${node.kind} into Go value of type string`);
  const { value } = node;
  const moment = parseTime(value);
  if (moment === undefined) throw new GoError(`parsing time ${goQuote(value)} as RFC 3339: it isn't`);
  return moment === ZERO_TIME ? undefined : moment;
}

/** Milliseconds since the epoch. There is no 30th of February here, and no hour 24. */
function parseTime(text: string): number | undefined {
  const [, date = "", hour = "", rest = "", fraction = "0", zone = ""] = RFC3339.exec(text) ?? [];
  const day = Date.parse(`${date}T00:00:00Z`);
  if (Number.isNaN(day) || new Date(day).toISOString().slice(0, 10) !== date || Number(hour) > 23) {
    return undefined;
  }
  const local =
    Date.parse(`${date}T${hour.padStart(2, "0")}${rest}Z`) + Math.floor(Number(`0.${fraction}`) * 1000);
  if (zone === "Z") return local;
  const minutes = Number(zone.slice(1, 3)) * 60 + Number(zone.slice(4));
  return local - (zone.startsWith("-") ? -1 : 1) * minutes * 60_000;
}
