/** `node serve-api.ts FOLDER PORT`: an API server in a process of its own, so that it can be killed. */
import { openApiServer } from "../../src/apiserver/index.ts";

const [, , folder = "", port = "0"] = process.argv;
const api = await openApiServer({ folder });
const { url } = await api.listen({ port: Number(port) });
process.once("SIGTERM", () => void api.close());
process.stdout.write(`serving ${url}\n`);
