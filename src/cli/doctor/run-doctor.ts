/** `dray doctor node`: looks at what a kubelet and its runtime would use, and says what they would trip over. */
import { join, resolve } from "node:path";

import type { HttpSend } from "../../client/index.ts";
import type { CommandContext } from "../context.ts";
import { USUAL_SOCKETS } from "../prefetch/endpoint.ts";
import { dataDir } from "../settings.ts";
import { checkContainerd } from "./check-containerd.ts";
import { checkCredentialFiles } from "./check-credentials.ts";
import { checkFolders, type NodeFolder } from "./check-disk.ts";
import { checkEndpoints } from "./check-endpoints.ts";
import { checkHosts } from "./check-hosts.ts";
import { checkKubeletConfig } from "./check-kubelet-config.ts";
import { checkProviders } from "./check-providers.ts";
import { checkProxies } from "./check-proxies.ts";
import { checkRegistries, findHosts } from "./check-registries.ts";
import { checkTrust } from "./check-trust.ts";
import { findKubelet } from "./find-kubelet.ts";
import { exitOfFindings, Findings } from "./finding.ts";
import { type DoctorValues, type NodePlaces, USUAL_PLACES } from "./options.ts";
import { printFindings } from "./print.ts";

export interface RunDoctorOptions {
  readonly values: DoctorValues;
  /** Where things usually are; for tests. */
  readonly places?: Partial<NodePlaces> | undefined;
  /** Sends requests instead of sockets, for tests. */
  readonly send?: HttpSend | undefined;
}

/** Resolves with the exit code. */
export async function runDoctor(options: RunDoctorOptions, context: CommandContext): Promise<number> {
  const findings = await examineNode(options, context);
  const { values } = options;
  const { all, checked, unchecked } = findings;
  if (values.json === true) {
    await context.stdout.write(`${JSON.stringify({ findings: all, checked, unchecked })}\n`);
  } else await printFindings(findings, context);
  return exitOfFindings(all);
}

async function examineNode(
  { values, places: given, send }: RunDoctorOptions,
  context: CommandContext,
): Promise<Findings> {
  const { cwd, uid } = context;
  const findings = new Findings();
  const folder = dataDir(values, context);
  const places = { ...USUAL_PLACES, sockets: [join(folder, "cri.sock"), ...USUAL_SOCKETS], ...given };
  const full = (path: string): string => resolve(cwd, path.replace(/^unix:(?:\/\/)?/, ""));
  const optional = (path: string | undefined): string | undefined =>
    path === undefined ? path : resolve(cwd, path);
  if (uid !== 0) findings.missed("permissions", `you are user ${uid}: what only root may see stays unseen`);

  const running = await findKubelet(places.proc);
  if (running === undefined)
    findings.missed("kubelet", "none runs here that you can see, so its flags aren't known");
  else findings.saw("kubelet", `process ${running.pid}, whose flags count where no option does`);
  // A kubelet's working directory is the root.
  const flag = (name: string): string | undefined => {
    const value = running?.flags.get(name);
    return value === undefined || value === ""
      ? undefined
      : resolve("/", value.replace(/^unix:(?:\/\/)?/, ""));
  };
  const kubeletRoot = optional(values["kubelet-root"]) ?? flag("root-dir") ?? places.kubeletRoot;
  const configFile = optional(values["kubelet-config"]) ?? flag("config");
  const kubelet = await checkKubeletConfig(findings, {
    path: configFile ?? join(kubeletRoot, "config.yaml"),
    named: configFile !== undefined,
  });
  const flagged = [flag("container-runtime-endpoint"), flag("image-service-endpoint")].filter(
    (one) => one !== undefined,
  );
  const named = values.socket?.map(full) ?? [...new Set([...kubelet.sockets, ...flagged])];
  const endpoints = await checkEndpoints(findings, { named, usual: places.sockets }, context);

  const folders: NodeFolder[] = [
    { path: kubeletRoot, kind: "nodefs", named: values["kubelet-root"] !== undefined },
    ...endpoints.flatMap(({ mountpoints }) =>
      mountpoints.map((path): NodeFolder => ({ path, kind: "imagefs", named: false })),
    ),
    ...(values["data-dir"] === undefined ? [] : [{ path: folder, kind: "imagefs", named: true } as const]),
  ];
  await checkFolders(findings, folders, kubelet.disk);

  await checkCredentialFiles(findings, { kubeletRoot }, context);
  await checkProviders(
    findings,
    {
      config:
        optional(values["image-credential-provider-config"]) ?? flag("image-credential-provider-config"),
      binDirectory:
        optional(values["image-credential-provider-bin-dir"]) ?? flag("image-credential-provider-bin-dir"),
      images: values["run-providers"] ?? [],
    },
    context,
  );

  const containerdConfig = optional(values["containerd-config"]);
  const configured = await checkContainerd(findings, {
    path: containerdConfig ?? places.containerdConfig,
    named: containerdConfig !== undefined,
  });
  const ofRuntime = [...(configured ?? []), ...endpoints.flatMap(({ hostsDirs }) => hostsDirs ?? [])];
  const usualRoots = ofRuntime.length > 0 ? [...new Set(ofRuntime)] : places.hostsDirs;
  const roots =
    values["hosts-dir"]?.map((path) => ({ path: full(path), named: true })) ??
    usualRoots.map((path) => ({ path, named: false }));
  const looks = endpoints.flatMap(({ socket, runtime, hostsDirs }) => {
    // Newer ones don't tell; then what their file says counts.
    const folders = hostsDirs ?? (runtime === "containerd" ? configured : undefined);
    return folders === undefined ? [] : [{ who: `${runtime} at ${socket}`, folders }];
  });
  const facts = await checkHosts(findings, roots, { looks, now: context.clock.now() });
  const ca = optional(values["tls-ca"]);
  await checkTrust(findings, { bundles: places.caBundles, named: ca }, context);

  const registries = [...new Set([...facts.registries, ...(values.registry ?? [])])];
  const hosts = await findHosts(findings, { registries, roots: facts.roots, ca });
  checkProxies(findings, [...hosts.values()].flat(), context);
  if (values["no-network"] === true) {
    findings.missed("registries", "none was asked, as --no-network says");
    findings.missed("clock", "no registry was asked for the time");
  } else {
    if (registries.length === 0)
      findings.missed("registries", "none is configured; name one with --registry");
    await checkRegistries(findings, hosts, { send }, context);
  }
  return findings;
}
