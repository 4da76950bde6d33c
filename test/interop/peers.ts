/**
 * Gets the real programs that interop tests and benchmarks run against: `node test/interop/peers.ts`, as root on a
 * Debian machine. Nothing of the machine's own packages changes: everything is unpacked into a cache folder outside
 * the checkout, `$DRAY_PEERS_DIR`, by default `dray-peers` in the user's cache folder:
 *
 * ```text
 * programs/   from Debian's coming release, which run here as they are: crane, oras, docker-registry, containerd
 * kubectl/    from there, too
 * tools/      from the machine's own release: wrk, htpasswd, curl, time
 * containers/ from there, too: runc, and busybox in one file
 * system/     a root folder for what wants newer libraries: skopeo, podman, buildah
 * bin/        one starter for each
 * ```
 *
 * A part is unpacked beside its place and renamed into it, so it is there completely or not at all; a part that is
 * there is not fetched again.
 */
import { spawnSync } from "node:child_process";
import { existsSync, globSync, mkdirSync, mkdtempSync, readFileSync, renameSync, rmSync } from "node:fs";
import { symlinkSync, writeFileSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

interface Part {
  readonly name: string;
  /** A Debian suite, or `undefined` for the machine's own. */
  readonly suite?: string;
  readonly packages: readonly string[];
  /** With what they need: `all` of it, what the machine has `not` got, or `nothing`. */
  readonly needs: "all" | "missing" | "nothing";
  /** Program to the path of its binary within the part. */
  readonly programs: Readonly<Record<string, string>>;
}

const PARTS: readonly Part[] = [
  {
    name: "programs",
    suite: "forky",
    packages: ["crane", "oras", "docker-registry", "containerd"],
    needs: "nothing",
    programs: {
      crane: "usr/bin/crane",
      oras: "usr/bin/oras",
      "docker-registry": "usr/bin/docker-registry",
      containerd: "usr/bin/containerd",
      ctr: "usr/bin/ctr",
      "containerd-shim-runc-v2": "usr/bin/containerd-shim-runc-v2",
    },
  },
  {
    name: "kubectl",
    suite: "forky",
    packages: ["kubectl"],
    needs: "nothing",
    programs: { kubectl: "usr/bin/kubectl" },
  },
  {
    name: "tools",
    packages: ["wrk", "apache2-utils", "curl", "time"],
    needs: "missing",
    programs: {
      wrk: "usr/bin/wrk",
      htpasswd: "usr/bin/htpasswd",
      curl: "usr/bin/curl",
      time: "usr/bin/time",
    },
  },
  {
    // The coming release's runc wants a newer library than this machine has.
    name: "containers",
    packages: ["runc", "busybox-static"],
    needs: "missing",
    programs: { runc: "usr/sbin/runc", busybox: "bin/busybox" },
  },
  {
    name: "system",
    suite: "forky",
    packages: ["skopeo", "podman", "buildah"],
    needs: "all",
    programs: { skopeo: "usr/bin/skopeo", podman: "usr/bin/podman", buildah: "usr/bin/buildah" },
  },
];

/** Where the programs are, or will be. */
export function peersFolder(env: NodeJS.ProcessEnv = process.env): string {
  return env["DRAY_PEERS_DIR"] ?? join(env["XDG_CACHE_HOME"] ?? join(homedir(), ".cache"), "dray-peers");
}

/** The starter of a program, or `undefined` where it hasn't been fetched. */
export function findPeer(program: string, folder: string = peersFolder()): string | undefined {
  const path = join(folder, "bin", program);
  return existsSync(path) ? path : undefined;
}

/**
 * For a test's `skip`: `false` when all of these are here, else the reason. Where `DRAY_PEERS` is `required`, as in
 * CI, a missing program is a failure instead of a test that quietly didn't run.
 */
export function missingPeers(...programs: readonly string[]): string | false {
  const missing = programs.filter((program) => findPeer(program) === undefined);
  if (missing.length === 0) return false;
  const reason = `${missing.join(", ")} not here; "npm run peers" fetches them`;
  if (process.env["DRAY_PEERS"] === "required") throw new Error(reason);
  return reason;
}

/** Why programs can't be fetched on this machine, in one sentence; `undefined` when they can. */
export function findObstacle(): string | undefined {
  if (process.platform !== "linux") return "Cannot fetch peers: they come from Debian packages, for Linux";
  for (const program of ["apt-get", "dpkg", "unshare", "chroot"]) {
    if (spawnSync(program, ["--version"], { stdio: "ignore" }).error !== undefined) {
      return `Cannot fetch peers: this machine has no ${program}`;
    }
  }
  if (process.getuid?.() !== 0)
    return "Cannot fetch peers: skopeo and podman run in a root folder, as root only";
  return findSource() === undefined ? "Cannot fetch peers: apt has no Debian source here" : undefined;
}

/** Fetches what isn't there yet; quick when everything is. */
export function fetchPeers(folder: string = peersFolder(), say: (line: string) => void = () => {}): void {
  mkdirSync(join(folder, "bin"), { recursive: true });
  for (const part of PARTS) {
    const place = join(folder, part.name);
    if (!existsSync(place)) {
      say(`Fetching ${part.packages.join(", ")}`);
      fetchPart(part, folder, place);
    }
    for (const [program, path] of Object.entries(part.programs))
      writeStarter(part, place, program, path, folder);
  }
}

function fetchPart(part: Part, folder: string, place: string): void {
  const work = mkdtempSync(join(folder, `.${part.name}-`));
  try {
    const archives = join(work, "archives");
    const fresh = join(work, "root");
    for (const sub of ["sources", "lists", "archives/partial", "root"]) {
      mkdirSync(join(work, sub), { recursive: true });
    }
    writeFileSync(join(work, "none"), "");
    writeFileSync(join(work, "sources", "peers.sources"), sourceOf(part));
    const options = [
      "Dir::Etc::SourceList=/dev/null",
      `Dir::Etc::SourceParts=${join(work, "sources")}`,
      `Dir::State::Lists=${join(work, "lists")}`,
      `Dir::State::extended_states=${join(work, "none")}`,
      `Dir::Cache::archives=${archives}`,
      "Dir::Cache::pkgcache=",
      "Dir::Cache::srcpkgcache=",
      "APT::Sandbox::User=root",
      "Debug::NoLocking=1",
      ...(part.needs === "missing" ? [] : [`Dir::State::status=${join(work, "none")}`]),
    ].map((option) => `-o${option}`);
    run("apt-get", [...options, "-q", "update"], work);
    if (part.needs === "nothing") {
      run("apt-get", [...options, "-q", "download", ...part.packages], archives);
    } else {
      const how = ["-q", "-y", "--download-only", "--no-install-recommends", "--reinstall", "install"];
      run("apt-get", [...options, ...how, ...part.packages], work);
    }
    for (const file of globSync("*.deb", { cwd: archives }))
      run("dpkg", ["-x", join(archives, file), fresh], work);
    if (part.needs === "all") furnish(fresh);
    renameSync(fresh, place);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** What packages expect of a root folder, and nobody's package brings. */
function furnish(root: string): void {
  for (const name of ["bin", "sbin", "lib", "lib64"]) {
    if (!existsSync(join(root, name))) symlinkSync(`usr/${name}`, join(root, name));
  }
  for (const name of ["proc", "dev", "sys", "tmp", "run", "root", "var/tmp", "etc"]) {
    mkdirSync(join(root, name), { recursive: true });
  }
  writeFileSync(join(root, "etc", "passwd"), "root:x:0:0:root:/root:/bin/sh\n");
  writeFileSync(join(root, "etc", "group"), "root:x:0:\n");
}

/** The machine's own apt source with another suite: nothing here names a host. */
function sourceOf(part: Part): string {
  const source = findSource();
  if (source === undefined) throw new Error("Cannot fetch peers: apt has no Debian source here");
  return part.suite === undefined ? source : source.replace(/^Suites:.*$/m, `Suites: ${part.suite}`);
}

/** The first stanza for Debian itself, in the stanza format whichever format it was in. */
function findSource(): string | undefined {
  for (const file of globSync("/etc/apt/sources.list.d/*.sources")) {
    for (const stanza of readFileSync(file, "utf8").split(/\n\s*\n/)) {
      if (/^Types:.*\bdeb\b/m.test(stanza) && /^Signed-By:.*debian-archive/m.test(stanza))
        return `${stanza.trim()}\n`;
    }
  }
  for (const file of ["/etc/apt/sources.list", ...globSync("/etc/apt/sources.list.d/*.list")]) {
    if (!existsSync(file)) continue;
    const line = /^deb\s+(?:\[[^\]]*\]\s+)?(\S+\/debian\/?)\s+(\S+)\s+main\b/m.exec(
      readFileSync(file, "utf8"),
    );
    if (line !== null) {
      const keyring = "/usr/share/keyrings/debian-archive-keyring.gpg";
      return `Types: deb\nURIs: ${line[1]}\nSuites: ${line[2]}\nComponents: main\nSigned-By: ${keyring}\n`;
    }
  }
  return undefined;
}

function writeStarter(part: Part, place: string, program: string, path: string, folder: string): void {
  const starter = join(folder, "bin", program);
  const text = part.needs === "all" ? inRoot(place, path) : withLibraries(place, path);
  if (existsSync(starter) && readFileSync(starter, "utf8") === text) return;
  const fresh = `${starter}.${process.pid}`;
  writeFileSync(fresh, text, { mode: 0o755 });
  renameSync(fresh, starter);
}

function withLibraries(place: string, path: string): string {
  const libraries = globSync("usr/lib/*-linux-gnu*", { cwd: place }).map((folder) => join(place, folder));
  const line = libraries.length === 0 ? "" : `export LD_LIBRARY_PATH=${quote(libraries.join(":"))}\n`;
  return `#!/bin/sh\n${line}exec ${quote(join(place, path))} "$@"\n`;
}

/**
 * Runs in the other root with the machine's own network, devices and folders for temporary files: /tmp, and the one
 * that TMPDIR names. The mounts are seen by this process alone and go with it, so nothing is left behind however it
 * ends, but for the empty folder under which another TMPDIR is shown.
 */
function inRoot(place: string, path: string): string {
  const mounts = 'for d in proc dev sys tmp; do mount --rbind "/$d" "$0/$d" || exit 1; done';
  const temporary =
    't="${TMPDIR:-/tmp}"; case "$t/" in /tmp/*) ;; /*) mkdir -p "$0$t" && mount --rbind "$t" "$0$t" || exit 1;; esac';
  const names = 'cp /etc/hosts /etc/resolv.conf "$0/etc/" 2>/dev/null';
  return [
    "#!/bin/sh",
    'export PODMAN_IGNORE_CGROUPSV1_WARNING=1 PATH="$PATH:/usr/sbin:/sbin"',
    `exec unshare --mount --propagation private sh -c '${mounts}; ${temporary}; ${names}; exec chroot "$0" "$@"' \\`,
    `  ${quote(place)} /${path} "$@"`,
    "",
  ].join("\n");
}

function quote(text: string): string {
  return `'${text.replaceAll("'", "'\\''")}'`;
}

function run(program: string, args: readonly string[], cwd: string): void {
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" };
  const ended = spawnSync(program, [...args], { cwd, env, encoding: "utf8", maxBuffer: 64 << 20 });
  if (ended.status === 0) return;
  const words = `${ended.stderr ?? ""}${ended.error?.message ?? ""}`.trim().split("\n").slice(-3).join("; ");
  throw new Error(`Cannot fetch peers: ${program} ${args.at(-1) ?? ""} failed: ${words}`);
}

if (import.meta.main) {
  const obstacle = findObstacle();
  if (obstacle !== undefined) {
    process.stderr.write(`${obstacle}\n`);
    process.exitCode = 1;
  } else {
    const folder = peersFolder();
    fetchPeers(folder, (line) => process.stderr.write(`${line}\n`));
    process.stdout.write(`${join(folder, "bin")}\n`);
  }
}
