import { type Command, defineCommand } from "../command.ts";
import { DOCTOR_OPTIONS } from "../doctor/options.ts";
import { REGISTRY_OPTIONS, STORE_OPTIONS } from "../shared-options.ts";

const { "hosts-dir": hosts, "tls-ca": ca } = REGISTRY_OPTIONS;

export const doctorNode: Command = defineCommand({
  name: "doctor node",
  summary: "Say what a kubelet would trip over when it pulls images on this machine",
  details: [
    "Looks at CRI sockets, directories, space and inodes, the KubeletConfiguration's image fields, credentials files, credential providers, hosts.toml files and the mirrors they name, certificate authorities, proxies, and the clock as registries tell the time. Every finding has a stable code, a place and a way to mend it; docs/guides/doctor.md lists the codes.",
    "It changes nothing, and starts no program unless --run-providers says so. Registries are asked GET /v2/, without credentials. Secrets are never printed.",
    "Anybody may run it; what only root may see is listed as not looked at. The exit code is 8 for an error, 1 when there are warnings alone, and otherwise 0.",
  ],
  options: { ...DOCTOR_OPTIONS, "hosts-dir": hosts, "tls-ca": ca, ...STORE_OPTIONS },
  arguments: [],
  examples: [
    { command: "sudo dray doctor node", summary: "All of it" },
    {
      command: "dray doctor node --registry registry.example.org",
      summary: "Is this registry within reach?",
    },
    {
      command:
        "dray doctor node --image-credential-provider-config providers.yaml --image-credential-provider-bin-dir /opt/providers --run-providers registry.example.org/team/app",
      summary: "Do credential providers work for an image?",
    },
    { command: "dray doctor node --json | jq -r '.findings[].code'", summary: "For programs" },
  ],
  async run({ values }, context) {
    const { runDoctor } = await import("../doctor/run-doctor.ts");
    return await runDoctor({ values }, context);
  },
});
