import { setFlagsFromString } from "node:v8";

/**
 * Keeps the heap near what is in use. While many pulls run, V8 would double its youngest part again and again, and let
 * what survived it grow to a multiple: for messages and pieces of layers that are forgotten at once. A service that
 * lives beside containers has better uses for that memory, and little to compute.
 */
export function boundMemory(): void {
  setFlagsFromString("--semi-space-growth-factor=1");
  setFlagsFromString("--heap-growing-percent=20");
}
