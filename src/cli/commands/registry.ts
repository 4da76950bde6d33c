import { type Command, defineCommand } from "../command.ts";
import { UsageError } from "../errors.ts";
import { FOLDER_OPTIONS, resolveRegistry, SERVE_OPTIONS } from "../registry/options.ts";

export const registry: Command = defineCommand({
  name: "registry",
  summary: "Serve a registry: who may do what, TLS, limits, logs, notifications, metrics",
  details: [
    "Everything can be said in one file (--config); without one it serves its folder on 127.0.0.1:5000 to everybody who can reach that.",
    "Who may do what and certificates are read again when their files change, and at SIGHUP, without a connection being dropped; what can't be used leaves in force what was, and is said. SIGHUP also opens logs anew.",
    "Ends with Ctrl-C or SIGTERM: takes no more connections, lets requests under way finish for a while, and says so to those on kept connections and at /readyz.",
    "Several processes may serve one folder. Users, robots and contents can be looked after while it runs.",
  ],
  options: { ...FOLDER_OPTIONS, ...SERVE_OPTIONS },
  arguments: [],
  examples: [
    { command: "dray registry --config registry.yaml", summary: "Serve as a file says" },
    {
      command: "dray registry --address :: --htpasswd users --tls-cert tls.crt --tls-key tls.key",
      summary: "Serve to users with passwords, over TLS",
    },
    {
      command: "dray registry --access access.yaml --log combined --metrics-port 5001",
      summary: "Serve by policies, and watch it",
    },
  ],
  async run({ values }, context) {
    const folder = values["data-dir"];
    if (folder === "") throw new UsageError("Option --data-dir needs a value: --data-dir DIR", "registry");
    const { runRegistry } = await import("../registry/run-registry.ts");
    const json = values.json === true;
    await runRegistry({ resolve: () => resolveRegistry(values, context), json }, context);
  },
});
