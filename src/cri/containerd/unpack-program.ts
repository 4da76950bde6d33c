/**
 * What a thread runs that unpacks: text, since a thread of a bundled package has no file of its own to begin with.
 *
 * ```text
 * { file, upper, lower, diffId }          ─►  a file that is complete
 * { file, upper, lower, diffId, size }    ─►  a file that grows to this size, …
 * { arrived }, { arrived }, …             ─►  … and is this long now
 *                                         ◄─  { identity, leftOut } or { identity, failure }
 * ```
 */
export const UNPACK_PROGRAM: string = `
const { open } = require("node:fs/promises");
const { setFlagsFromString } = require("node:v8");
const { runInNewContext } = require("node:vm");
const { parentPort, workerData } = require("node:worker_threads");
const CHUNK = 256 * 1024;
const COLLECT = 16;
setFlagsFromString("--expose-gc");
const collect = runInNewContext("gc");
let arrived = 0;
let wake = () => {};
function pumpOf(handle, size) {
  const buffer = Buffer.allocUnsafeSlow(CHUNK);
  return async (consume) => {
    let at = 0;
    for (let read = 0; at < size; read++) {
      while (at >= arrived) await new Promise((resolve) => (wake = resolve));
      const { bytesRead } = await handle.read(buffer, 0, Math.min(CHUNK, arrived - at), at);
      if (bytesRead === 0 && size !== Infinity) throw new Error("The file is shorter than was said");
      if (bytesRead === 0) return;
      at += bytesRead;
      // V8 sees little buffers that stand for much memory, and would let them pile up.
      if (read % COLLECT === 0) collect({ type: "minor" });
      await consume(buffer.subarray(0, bytesRead));
    }
  };
}
async function unpack({ file, upper, lower, diffId, size = Infinity }) {
  let identity = "";
  try {
    const { applyLayer } = await import(workerData);
    const handle = await open(file, "r");
    try {
      const { dev, ino } = await handle.stat({ bigint: true });
      identity = dev + ":" + ino;
      const stream = { pump: pumpOf(handle, size), close: async () => {} };
      const options = { below: lower, whiteouts: "overlay", diffId };
      const { leftOut } = await applyLayer(stream, upper, options);
      return { identity, leftOut: leftOut.length };
    } finally {
      await handle.close();
    }
  } catch (error) {
    return { identity, failure: { code: error?.code, message: String(error?.message ?? error) } };
  }
}
parentPort.on("message", (message) => {
  if (message.file === undefined) {
    arrived = message.arrived;
    wake();
    return;
  }
  arrived = message.size === undefined ? Infinity : 0;
  void unpack(message).then((answer) => parentPort.postMessage(answer));
});
`;
